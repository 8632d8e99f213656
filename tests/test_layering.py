"""Who may import whom. The imports are read from the sources, also those inside functions."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Each part of the house, and the parts it may import; a part may always import itself. First match counts.
MAY_IMPORT = {
    "refnet.errors": [],
    "refnet.elementary": [],
    "refnet.forking": [],
    "refnet.activations": ["refnet.errors", "refnet.elementary", "refnet.forking"],
    "refnet.layers": ["refnet.errors", "refnet.elementary", "refnet.forking", "refnet.activations"],
    "refnet.models": ["refnet.errors", "refnet.activations", "refnet.layers"],
    "refnet.files": ["refnet.errors", "refnet.activations", "refnet.layers", "refnet.models"],
    "refnet.engine": [
        "refnet.errors",
        "refnet.elementary",
        "refnet.forking",
        "refnet.activations",
        "refnet.layers",
        "refnet.models",
    ],
    "refnet.explain": ["refnet.activations"],
    "refnet": ["refnet"],
    "parity": ["refnet"],
    "bench": ["refnet", "parity"],
}

# What may be imported inside a function, when it is first needed, and not when the module is loaded.
MAY_IMPORT_LATE = {
    "refnet.activations": ["refnet.engine"],
    "refnet.layers": ["refnet.engine"],
    "refnet.models": ["refnet.engine", "refnet.files"],
}

# Packages that only some parts may import at all.
ONLY_IN = {
    "numba": ["refnet.engine"],
    "llvmlite": ["refnet.engine"],
    "keras": ["parity.runners", "parity.bridge", "bench.peers"],
    "tensorflow": ["parity.runners", "parity.bridge", "bench.peers"],
}

# Packages that refnet may import only where something is done with them.
ONLY_LATE_IN_REFNET = {"numba", "llvmlite", "rich", "matplotlib"}

# refnet has one engine and one meaning; what it is compared with is not part of it.
NEVER_IN_REFNET = {"keras", "tensorflow", "mpmath", "torch", "jax", "onnxruntime", "openvino", "parity", "bench"}


def modules() -> dict[str, Path]:
    found = {}
    for package in ("refnet", "parity", "bench"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield ``(module, late)`` for every import but those for type checkers only."""
    yield from _imports(ast.parse(path.read_text()), late=False)


def _imports(node: ast.AST, *, late: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, late) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import of {node.module}"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield (inner if inner in MODULES else str(node.module), late)
    late = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, late=late)


def part_of(module: str) -> str:
    return next(part for part in MAY_IMPORT if within(module, part))


def within(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def allowed(module: str, imported: str, late: bool) -> bool:
    part = part_of(module)
    # `from refnet import layers` names only the package, which loads what is asked of it when it is asked.
    parts = [part, *MAY_IMPORT[part], *(MAY_IMPORT_LATE.get(part, []) if late else [])]
    return any(within(imported, other) for other in parts) or (imported == "refnet" and late)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module):
    wrong = [
        imported
        for imported, late in imports(MODULES[module])
        if imported.partition(".")[0] in {"refnet", "parity", "bench", "tests"} and not allowed(module, imported, late)
    ]
    assert not wrong, f"{module} must not import {wrong}"


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_stay_in_their_rooms(module):
    for imported, late in imports(MODULES[module]):
        top = imported.partition(".")[0]
        if top in ONLY_IN:
            assert any(within(module, room) for room in ONLY_IN[top]), f"{module} imports {top}"
        if within(module, "refnet"):
            assert top not in NEVER_IN_REFNET, f"{module} imports {top}"
            # What the engine compiles with is imported by modules that are themselves imported only to compile.
            if not within(module, "refnet.engine"):
                assert late or top not in ONLY_LATE_IN_REFNET, f"{module} imports {top} when it is loaded"


def test_refnet_requires_what_it_imports_and_nothing_else():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    required, of_extras = (
        {re.match(r"[\w-]+", text)[0] for text in texts} for texts in (project["dependencies"], extras)
    )
    imported = {
        name.partition(".")[0]
        for module, path in MODULES.items()
        if within(module, "refnet")
        for name, _ in imports(path)
    }
    assert required == imported - of_extras - sys.stdlib_module_names - {"refnet"}
