"""MODEL on the command line -> a Keras model: a file, or a function of the user's."""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parity import bridge
from parity.runners import keras_setup
from refnet.errors import ArgumentError, FileError, UnsupportedError, did_you_mean

__all__ = ["load"]

_SUFFIXES = (".keras", ".h5", ".hdf5")


def load(what: str) -> Any:
    """Return the Keras model that ``what`` names.

    Parameters
    ----------
    what : str
        The path of a ``.keras`` or ``.h5`` file, which goes through Keras in safe mode; or ``module:function``, a
        function without arguments that returns a Keras model. The module is looked for in the current folder first.

    Raises
    ------
    FileError
        If the file is missing, damaged, or no model.
    UnsupportedError
        If it holds a Lambda layer, or something that Keras refuses to load in safe mode.
    ArgumentError
        If the module or the function cannot be found, fails, or returns something else.
    """
    if Path(what).suffix in _SUFFIXES or Path(what).exists():
        return _from_file(Path(what))
    if ":" in what:
        return _from_function(what)
    raise FileError(f"model {what!r} is no file; accepted: a .keras or .h5 file, or module:function")


def _from_file(path: Path) -> Any:
    shown = str(path)
    if not path.exists():
        raise FileError(f"model file {shown!r} does not exist; accepted: a .keras or .h5 file, or module:function")
    if path.is_dir() or path.suffix not in _SUFFIXES:
        kind = "a folder" if path.is_dir() else f"no model file by its name ({path.suffix or 'no suffix'})"
        raise FileError(f"{shown!r} is {kind}; accepted: a .keras or .h5 file, or module:function")
    if path.suffix == ".keras":
        _refuse_code(path)
    keras = keras_setup.load()
    try:
        with keras_setup.quiet():
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever the damage leads to
        if "Lambda" in str(error) or "safe_mode" in str(error):
            raise UnsupportedError(
                f"{shown!r}: it holds Python code, which is not run; accepted: built-in layers"
            ) from error
        if "No model config found" in str(error):  # what save_weights writes
            raise FileError(
                f"{shown!r}: it holds weights without a model; accepted: a whole model file, or module:function, whose"
                " function builds the model and calls load_weights"
            ) from error
        raise FileError(
            f"{shown!r}: Keras cannot read it ({_first_line(error)}); accepted: a whole model file"
        ) from error


def _refuse_code(path: Path) -> None:
    """Name the Lambda layer in a .keras file before Keras refuses without a name."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RecursionError, NotImplementedError) as error:
        raise FileError(
            f"{str(path)!r} is damaged, or no Keras file ({_first_line(error)}); accepted: a .keras file"
        ) from error
    for entry in _objects(config):
        if entry.get("class_name") == "Lambda":
            settings = entry.get("config")
            name = settings.get("name") if isinstance(settings, dict) else None
            raise UnsupportedError(
                f"{str(path)!r}: Lambda {name!r}: a Lambda layer holds Python code, which is not run;"
                " accepted: built-in layers"
            )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            yield entry
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry


def _from_function(what: str) -> Any:
    module_name, _, name = what.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    keras_setup.load()
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's module may raise anything, or leave
        raise ArgumentError(
            f"module {module_name!r} cannot be imported ({_described(error)}); accepted: module:function"
        ) from error
    function = getattr(module, name, None)
    if function is None:
        hint = did_you_mean(name, [key for key in vars(module) if not key.startswith("_")])
        raise ArgumentError(f"module {module_name!r} has no {name!r}; accepted: the name of a function{hint}")
    try:
        with keras_setup.quiet():
            model = function() if callable(function) and not bridge.is_keras_model(function) else function
    except (Exception, SystemExit) as error:
        raise ArgumentError(
            f"{what}: the function failed ({_described(error)}); accepted: one that returns"
            " a Keras model, called without arguments"
        ) from error
    if not bridge.is_keras_model(model):
        found = type(model).__name__
        raise ArgumentError(f"{what} gave an object of type {found}; accepted: a function that returns a Keras model")
    return model


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return line if len(line) <= 160 else f"{line[:157]}..."
