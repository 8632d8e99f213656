"""Every module says what it offers; what it offers is there, and is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import tomllib
from pathlib import Path

import pytest

import refnet

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = ("refnet", "refnet.activations", "refnet.errors", "refnet.layers", "parity")


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_there_and_sorted(name):
    module = importlib.import_module(name)
    assert [item for item in module.__all__ if not hasattr(module, item)] == []
    assert len(set(module.__all__)) == len(module.__all__)
    # Constants, then classes, then functions, each in the order of letters: ruff's order, and that of a reader's eye.
    assert list(module.__all__) == sorted(module.__all__, key=lambda item: (not item.isupper(), item.islower(), item))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_things_are_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for item in module.__all__:
        value = getattr(module, item)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{item} has no docstring"


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert refnet.__version__ == project["version"]


def test_dir_lists_what_is_not_loaded_yet():
    assert set(refnet.__all__) <= set(dir(refnet))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'refnet' has no attribute 'Sequentail'"):
        refnet.Sequentail  # noqa: B018 (the access is the test)


def sources() -> list[Path]:
    return sorted(path for package in ("refnet", "parity", "bench") for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_all_names_what_the_module_defines(path):
    """``__all__`` must not name what is not there; reading it costs no import."""
    tree = ast.parse(path.read_text())
    given = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    if not given or not isinstance(given[0], ast.List) or "__getattr__" in path.read_text():
        return
    bound = {
        name.id for node in tree.body for name in ast.walk(node) if isinstance(name, ast.Name) and not is_load(name)
    }
    bound |= {getattr(node, "name", "") for node in tree.body}
    bound |= {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert set(ast.literal_eval(given[0])) <= bound


def is_load(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)
