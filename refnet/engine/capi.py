"""What compiled code uses of the C interfaces of CPython and NumPy, and builtins made of compiled functions.

Compiled code calls functions that CPython exports (all but `PyObject_Vectorcall`, itself documented, are in the
stable ABI) and NumPy's `PyArray_Empty`. Of objects it reads the type, of arrays the fields of PyArrayObject_fields, and
of dtypes those of PyArray_Descr: every extension module does so, by inline functions of the public headers. They hold
for CPython from 3.11 on with a GIL and NumPy 2; where `usable` does not find an array laid out so, calls go through
ctypes.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import sysconfig
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["add_symbols", "address_of", "builtin", "usable"]

#: The functions, which compiled code knows by name.
FUNCTIONS = (
    "PyErr_BadArgument",
    "PyEval_RestoreThread",
    "PyEval_SaveThread",
    "PyLong_AsLongLong",
    "PyMem_RawFree",
    "PyMem_RawMalloc",
    "PyObject_Vectorcall",
    "PyThread_acquire_lock",
    "PyThread_release_lock",
    "PyTuple_GetItem",
    "Py_IncRef",
)
#: What numba's code names for the case that it raises. Ours cannot raise, so they are never called, but the linker
#: wants an address: where it misses one, it links none.
UNUSED = (
    "NRT_Free",
    "numba_do_raise",
    "numba_gil_ensure",
    "numba_gil_release",
    "numba_runtime_build_excinfo_struct",
    "numba_unpickle",
)
PYARRAY_EMPTY = 184  # its place in NumPy's table of functions; the table is only ever added to

#: Where fields stand, in words of 8 bytes. The number of axes and the flags are the low halves of theirs.
OB_TYPE, DATA, ND, DIMENSIONS, DESCR, FLAGS = 1, 2, 3, 4, 7, 8
#: In a dtype: kind, character, byte order, flags and number of the type. Arrays from a pickle, and so from another
#: process, have a dtype object of their own, in which this is the same.
KIND = 3
CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400  # bits of the flags

_METH_FASTCALL = 0x80


class _Definition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@functools.cache
def usable() -> bool:
    """Tell whether this interpreter and this NumPy are as this file expects."""
    if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    if hasattr(sys, "getobjects") or _numpy_function(PYARRAY_EMPTY) is None:  # a debug build has longer objects
        return False
    array = np.empty((3, 5), np.float32)
    words = (ctypes.c_int64 * 9).from_address(id(array))
    shape = (ctypes.c_int64 * 2).from_address(words[DIMENSIONS])
    found = words[OB_TYPE], words[DATA], words[ND] & 0xFFFFFFFF, *shape, words[DESCR], words[FLAGS] & 0xFFFFFFFF
    flags = CONTIGUOUS | ALIGNED | WRITEABLE | 0x4  # 0x4: the array owns its memory
    return found == (id(np.ndarray), array.ctypes.data, 2, 3, 5, id(array.dtype), flags)


@functools.cache
def _symbols() -> dict[str, int | None]:
    """Return the addresses of what LLVM's linker does not find by itself."""
    symbols: dict[str, int | None] = {name: _exported(name) for name in FUNCTIONS}
    symbols["PyArray_Empty"] = _numpy_function(PYARRAY_EMPTY)
    symbols["sched_yield"] = _let_others_run()
    return symbols | dict.fromkeys(UNUSED, _exported("PyErr_Clear"))


def address_of(name: str) -> int | None:
    """Return the address of a function or object that compiled code knows by this name; None if there is none."""
    return _symbols().get(name) or _exported(name)


@functools.cache
def add_symbols() -> None:
    """Tell LLVM's linker where the functions are."""
    import llvmlite.binding as llvm

    for name, address in _symbols().items():
        if address is not None and not llvm.address_of_symbol(name):
            llvm.add_symbol(name, address)


def _exported(name: str) -> int | None:
    """Return the address of a function or object that CPython, or a library it is linked with, exports."""
    try:
        return ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, name))
    except ValueError:
        return None


def _let_others_run() -> int | None:
    """Return the address of the system's function that gives this thread's core to another one."""
    library = ctypes.CDLL(None) if os.name == "posix" else ctypes.windll.kernel32  # type: ignore[attr-defined]
    function = library.sched_yield if os.name == "posix" else library.SwitchToThread
    return ctypes.cast(function, ctypes.c_void_p).value


def _numpy_function(place: int) -> int | None:
    try:
        from numpy._core._multiarray_umath import _ARRAY_API  # type: ignore[import-not-found]  # as import_array() in C
    except ImportError:
        return None
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    return (ctypes.c_void_p * (place + 1)).from_address(pointer(_ARRAY_API, None))[place]


def builtin(address: int, *bound: Any) -> Callable[..., Any]:
    """Return the compiled function at an address as a Python function, bound to the tuple of the other arguments.

    Its C signature is ``PyObject *(PyObject *bound, PyObject *const *arguments, Py_ssize_t count)``.
    """
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return make(ctypes.addressof(_definition(address)), bound, None)


@functools.cache
def _definition(address: int) -> _Definition:
    definition = _Definition(b"compiled", address, _METH_FASTCALL, None)
    # It must outlive every function made of it. When the interpreter ends, only what is never freed does.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(definition))
    return definition
