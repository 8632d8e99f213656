"""The compiled side of the doors: C functions that Python calls as builtins (see `refnet.engine.capi.builtin`).

A call through ctypes costs a microsecond, most of it for the conversion of its arguments; a builtin costs a tenth
of that. Each function takes three int64: the address of the tuple that it is bound to, of the array of arguments,
and how many there are. It returns a new reference, or 0 with an error set. The tuple's first item is an int64
array, the record, that tells it what to do: `refnet.engine.records` says what stands where.
"""

from __future__ import annotations

from numba import njit, types

from refnet.engine.capi import ALIGNED, CONTIGUOUS, DESCR, DIMENSIONS, FLAGS, KIND, ND, OB_TYPE, WRITEABLE
from refnet.engine.intrinsics import call_kernel, data_of, load_int64, store_int64
from refnet.engine.records import (
    ARRAY_CLASS,
    ARRAYS,
    AXES,
    BYTES,
    CODE,
    COLUMNS,
    DTYPE,
    HALVED,
    HELD,
    INT_CLASS,
    MOST,
    NONE,
    OUTPUT,
    PYTHON,
    ROW,
    SCRATCH,
    SHAPE,
    TABLE,
    Y_SHAPE,
)
from refnet.engine.table import BLOCK, work_size
from refnet.engine.vectors import LINE

WORD, INT, VOID = types.int64, types.int32, types.void
SIGNATURE = WORD(WORD, WORD, WORD)
WORK_BYTES = 8 * work_size(BLOCK)

_bad_argument = types.ExternalFunction("PyErr_BadArgument", INT())
_take_reference = types.ExternalFunction("Py_IncRef", VOID(WORD))
_int_of = types.ExternalFunction("PyLong_AsLongLong", WORD(WORD))
_item = types.ExternalFunction("PyTuple_GetItem", WORD(WORD, WORD))
_call_python = types.ExternalFunction("PyObject_Vectorcall", WORD(WORD, WORD, WORD, WORD))
_release_gil = types.ExternalFunction("PyEval_SaveThread", WORD())
_acquire_gil = types.ExternalFunction("PyEval_RestoreThread", VOID(WORD))
_empty = types.ExternalFunction("PyArray_Empty", WORD(INT, WORD, WORD, INT))
_new_memory = types.ExternalFunction("PyMem_RawMalloc", WORD(WORD))
_free_memory = types.ExternalFunction("PyMem_RawFree", VOID(WORD))


def six_words(bound: int, arguments: int, count: int) -> int:
    """Call compiled code with six numbers, without the GIL; return None.

    An ndarray goes as the list of one array that its place among the arguments is.
    """
    record = data_of(_item(bound, 0))
    arrays, an_int, an_array = (
        load_int64(record, ARRAYS),
        load_int64(record, INT_CLASS),
        load_int64(record, ARRAY_CLASS),
    )
    good = count == 6
    a = b = c = d = e = f = 0
    if good:
        for i in range(6):
            value = load_int64(arguments, i)
            is_array = (arrays >> i) & 1
            good = good and load_int64(value, OB_TYPE) == (an_array if is_array else an_int)
            if is_array:
                value = arguments + 8 * i
            elif good:
                value = _int_of(value)
                good = value >= 0  # -1 for what does not fit
            a, b, c, d, e, f = b, c, d, e, f, value
    if not good:
        _bad_argument()
        return 0
    state = _release_gil()
    call_kernel(load_int64(record, CODE), a, b, c, d, e, f)
    _acquire_gil(state)
    none = load_int64(record, NONE)
    _take_reference(none)
    return none


def forward(bound: int, arguments: int, count: int) -> int:
    """Run a whole forward pass of few rows: check x, make y, run the walk. Leave anything else to the Python function.

    It keeps the GIL, so that the scratch memory is its own.
    """
    if count != 1:
        _bad_argument()
        return 0
    record, x = data_of(_item(bound, 0)), load_int64(arguments, 0)
    if _is_plain(record, x, CONTIGUOUS | ALIGNED) and _axes(x) == 2:
        rows, columns = _size(x, 0), _size(x, 1)
        if columns == load_int64(record, COLUMNS) and rows <= load_int64(record, MOST):
            store_int64(record, SHAPE, rows)
            y = _new(record, 2, record + 8 * SHAPE)
            if y != 0:
                walk, table, scratch = load_int64(record, CODE), load_int64(record, TABLE), load_int64(record, SCRATCH)
                store_int64(record, OUTPUT, y)
                call_kernel(walk, table, arguments, record + 8 * OUTPUT, 0, rows, scratch)
            return y
    return _call_python(load_int64(record, PYTHON), arguments, 1, 0)


def activate(bound: int, arguments: int, count: int) -> int:
    """Run an activation of a plain array, given x and out or None. Leave anything else to the Python function.

    It keeps the GIL for few elements, since giving it away and getting it back is worth it only for longer work. Few
    rows then share one work space; more have one of their own.
    """
    if count != 2:
        _bad_argument()
        return 0
    record, x, out = data_of(_item(bound, 0)), load_int64(arguments, 0), load_int64(arguments, 1)
    if _is_plain(record, x, CONTIGUOUS | ALIGNED) and _axes(x) <= AXES:
        elements, columns, row, halved = 1, 1, load_int64(record, ROW), load_int64(record, HALVED)
        for i in range(_axes(x)):
            elements *= _size(x, i)
            columns = _size(x, i) if row else 1
            store_int64(record, Y_SHAPE + i, _size(x, i))
        suits = 0 < elements <= load_int64(record, MOST) and (row == 0 or (columns <= row and _axes(x) > 0))
        if halved and suits:
            suits = columns % 2 == 0
            store_int64(record, Y_SHAPE + _axes(x) - 1, columns // 2)
        none = load_int64(record, NONE)
        if suits and (out == none or _may_take(record, out, x, elements)):
            if out == none:
                y = _new(record, _axes(x), record + 8 * Y_SHAPE)
            else:
                _take_reference(out)
                y = out
            if y != 0:
                kernel, parameters = load_int64(record, CODE), load_int64(record, TABLE)
                work, rows = load_int64(record, SCRATCH), elements // columns
                long = elements > load_int64(record, HELD)
                memory = _new_memory(WORK_BYTES + LINE) if long and row else 0
                if memory != 0:
                    work = (memory + LINE - 1) // LINE * LINE
                state = _release_gil() if long and (memory != 0 or row == 0) else 0
                call_kernel(kernel, data_of(x), data_of(y), rows, columns, parameters, work)
                if state != 0:
                    _acquire_gil(state)
                _free_memory(memory)
            return y
    return _call_python(load_int64(record, PYTHON), arguments, 2, 0)


# Everything below is inlined. Code that calls another numba function could raise, as far as numba knows.


@njit(error_model="numpy", forceinline=True)
def _axes(array: int) -> int:
    return load_int64(array, ND) & 0xFFFFFFFF


@njit(error_model="numpy", forceinline=True)
def _size(array: int, axis: int) -> int:
    return load_int64(load_int64(array, DIMENSIONS), axis)


@njit(error_model="numpy", forceinline=True)
def _is_plain(record: int, array: int, flags: int) -> bool:
    """Tell whether an object is an ndarray proper, of the record's dtype and with all of these flags."""
    return (
        load_int64(array, OB_TYPE) == load_int64(record, ARRAY_CLASS)
        and load_int64(load_int64(array, DESCR), KIND) == load_int64(load_int64(record, DTYPE), KIND)
        and load_int64(array, FLAGS) & flags == flags
    )


@njit(error_model="numpy", forceinline=True)
def _new(record: int, axes: int, shape: int) -> int:
    """Return a new array, or 0 with an error set if there is no memory."""
    dtype = load_int64(record, DTYPE)
    _take_reference(dtype)  # which _empty takes over
    return _empty(axes, shape, dtype, 0)


@njit(error_model="numpy", forceinline=True)
def _may_take(record: int, out: int, x: int, elements: int) -> bool:
    """Tell whether out can take the result as it is: an array of its shape, with no byte in common with x."""
    fits = _is_plain(record, out, CONTIGUOUS | ALIGNED | WRITEABLE) and _axes(out) == _axes(x)
    if fits:
        for i in range(_axes(x)):
            fits = fits and _size(out, i) == load_int64(record, Y_SHAPE + i)
        bytes_ = elements * load_int64(record, BYTES)  # of x; out has no more
        fits = fits and (data_of(x) + bytes_ <= data_of(out) or data_of(out) + bytes_ <= data_of(x))
    return fits
