from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest

from refnet import activations
from refnet.engine import capi, forward, objects, workers
from refnet.engine.forward import activation_kernel, columns_code, door_code, walk_code


def test_this_interpreter_is_as_expected():
    assert capi.usable()


@pytest.mark.parametrize("field", ["OB_TYPE", "DATA", "ND", "DIMENSIONS", "DESCR", "FLAGS"])
def test_a_field_at_another_place_is_noticed(field, monkeypatch):
    monkeypatch.setattr(capi, field, 3 if field != "ND" else 2)
    if field == "DIMENSIONS":  # where an address is expected, there must be one
        monkeypatch.setattr(capi, field, 5)

    assert not capi.usable.__wrapped__()


@pytest.mark.parametrize("name", ["PyPy", "GraalVM"])
def test_another_interpreter_is_not_usable(name, monkeypatch):
    monkeypatch.setattr("platform.python_implementation", lambda: name)
    assert not capi.usable.__wrapped__()


def test_an_interpreter_without_a_gil_is_not_usable(monkeypatch):
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else None)
    assert not capi.usable.__wrapped__()


def test_numpys_function_is_the_one_expected():
    empty = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_int, ctypes.c_void_p, ctypes.py_object, ctypes.c_int)(
        capi._numpy_function(capi.PYARRAY_EMPTY)
    )
    shape, dtype = (ctypes.c_int64 * 2)(3, 5), np.dtype(np.float32)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(dtype))

    array = empty(2, shape, dtype, 0)

    assert (type(array), array.shape, array.dtype, array.flags.carray) == (np.ndarray, (3, 5), np.float32, True)


def test_compiled_code_names_no_function_that_the_linker_is_not_told():
    for name in forward.DOORS:
        door_code(name)
    for name in workers.HANDOVER:
        workers.handover_code(name)
    walk_code("float32")
    columns_code("float32")
    activation_kernel(activations.get("softmax"), "float32")
    known = {*capi.FUNCTIONS, *capi.UNUSED, "PyArray_Empty"}
    entries = list(objects.cache_folder().glob("*.o"))

    for entry in entries:
        named = {found.decode() for found in re.findall(rb"(?<=\0)(?:Py|NRT_|numba_)\w+(?=\0)", entry.read_bytes())}
        assert all(name in known or hasattr(ctypes.pythonapi, name) for name in named), entry.name
    assert entries


def test_a_builtin_is_bound_to_its_objects():
    kept = object()
    function = capi.builtin(door_code("six_words"), kept, 7)

    assert callable(function)
    assert function.__self__ == (kept, 7)
