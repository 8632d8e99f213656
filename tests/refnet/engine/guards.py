"""NumPy arrays between memory pages that may not be touched: one byte too far ends the process with SIGSEGV.

`guard_new_arrays` replaces NumPy's allocator, so that whatever the engine allocates is guarded too, without a test
knowing what that is: inputs, packed weights, biases, parameters, tables, scratch memory and results. It belongs
into a process of its own (`run_guarded`), where a fault is a failed test and not the end of pytest.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from refnet.engine import pack
from tests.refnet.engine.apart import run_apart

PAGE = mmap.PAGESIZE
SET_HANDLER = 304  # the place of PyDataMem_SetHandler in NumPy's table of C functions (numpy/_core/code_generators)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

_malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_calloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_realloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_free = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Handler(ctypes.Structure):
    """PyDataMem_Handler of numpy/ndarraytypes.h."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", _malloc),
        ("calloc", _calloc),
        ("realloc", _realloc),
        ("free", _free),
    )


class _Memory:
    """Blocks that end exactly at a guard page, or begin exactly after one."""

    def __init__(self, end: bool) -> None:
        self.end = end
        self.blocks: dict[int, tuple[int, int, int]] = {}  # address -> (size, start of the mapping, its size)

    def malloc(self, context: Any, size: int) -> int:
        room = -(-max(1, size) // PAGE) * PAGE
        start = _libc.mmap(None, room + 2 * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, 0x22, -1, 0)  # private, anonymous
        for guard in (start, start + PAGE + room):
            assert _libc.mprotect(guard, PAGE, 0) == 0
        address = start + PAGE + (room - size if self.end else 0)
        self.blocks[address] = (size, start, room + 2 * PAGE)
        return int(address)

    def calloc(self, context: Any, count: int, size: int) -> int:
        return self.malloc(context, count * size)  # new mappings are zero

    def realloc(self, context: Any, old: int, size: int) -> int:
        new = self.malloc(context, size)
        ctypes.memmove(new, old, min(size, self.blocks[old][0]))
        self.free(context, old, 0)
        return new

    def free(self, context: Any, address: int, size: int) -> None:
        _, start, whole = self.blocks.pop(address)
        _libc.munmap(start, whole)


_kept: list[Any] = []  # the handler and its functions live as long as the process


def guard_new_arrays(end: bool) -> None:
    """From now on arrays end exactly at a guard page, or else begin exactly after one; in new threads too."""
    from numpy._core import _multiarray_umath

    memory = _Memory(end)
    functions = _malloc(memory.malloc), _calloc(memory.calloc), _realloc(memory.realloc), _free(memory.free)
    handler = _Handler(b"guarded", 1, None, *functions)
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    capsule = new_capsule(ctypes.addressof(handler), b"mem_handler", None)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(pointer(_multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[SET_HANDLER])
    _kept.extend((memory, handler, set_handler(capsule)))

    run = threading.Thread.run

    def guarded_run(thread: threading.Thread) -> None:
        set_handler(capsule)  # NumPy keeps the handler in a context variable, which new threads do not inherit
        run(thread)

    threading.Thread.run = guarded_run  # type: ignore[method-assign]
    pack._aligned = np.empty  # aligned weights would have unused bytes at both ends


def run_guarded(function: Callable[[], None], end: bool) -> None:
    """Run a test module's function in a new process whose arrays are guarded, and fail if a guard is touched.

    The function prints each case before it runs it, so that the last line names the one that failed.
    """
    start = f"from tests.refnet.engine.guards import guard_new_arrays; guard_new_arrays({end})"
    assert run_apart(leave_after, function.__module__, function.__name__, first=start), "no case has run"


def leave_after(module: str, function: str) -> None:
    """Run a function and leave at once: what frees arrays is Python code, which is gone at the interpreter's end."""
    getattr(importlib.import_module(module), function)()
    os._exit(0)
