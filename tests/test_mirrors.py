"""``tests/`` mirrors the sources, and no activation is named by hand where the book could be asked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from refnet.activations import REGISTRY

ROOT = Path(__file__).resolve().parent.parent

# Sources without a test file of their own, and what tests them instead.
TESTED_ELSEWHERE = {
    "refnet/__main__.py": "tests/refnet/test_cli.py",
    "refnet/engine/intrinsics.py": "tests/refnet/engine/test_elementary.py",
    "refnet/engine/rows.py": "tests/refnet/engine/test_kernels.py",
    "refnet/engine/table.py": "tests/refnet/engine/test_plan.py",
    "refnet/engine/vectors.py": "tests/refnet/engine/test_gemm.py",
    "refnet/engine/walk.py": "tests/refnet/engine/test_forward.py",
    "parity/__main__.py": "tests/parity/test_cli.py",
}


def sources() -> list[Path]:
    found = (path for package in ("refnet", "parity", "bench") for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if path.name != "__init__.py")


def mirror(source: Path) -> Path:
    inside = source.relative_to(ROOT)
    return ROOT / "tests" / inside.parent / f"test_{inside.name}"


def says_something(source: Path) -> bool:
    """Tell whether a file has code of its own: a function or a class that is not a test or a benchmark itself."""
    tree = ast.parse(source.read_text())
    return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body)


def test_every_source_has_its_test():
    missing = []
    for source in sources():
        name = source.relative_to(ROOT).as_posix()
        if source.name.startswith(("test_", "bench_", "conftest")) or not says_something(source):
            continue
        target = ROOT / TESTED_ELSEWHERE[name] if name in TESTED_ELSEWHERE else mirror(source)
        if not target.exists():
            missing.append(f"{name} -> {target.relative_to(ROOT).as_posix()}")
    assert not missing, "sources without a test file:\n  " + "\n  ".join(missing)


def outside_the_book() -> list[Path]:
    tests = [path for path in (ROOT / "tests").rglob("*.py") if "activations" not in path.parts]
    return [path for path in sources() if "activations" not in path.parts] + sorted(tests)


@pytest.mark.parametrize("path", outside_the_book(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_activations_are_not_listed_by_hand(path):
    """Five names together are a list that the next activation would be missing from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            names = [item.value for item in node.elts if isinstance(item, ast.Constant) and item.value in REGISTRY]
            assert len(names) < 5, f"line {node.lineno} lists {names}; loop over refnet.activations.names()"
