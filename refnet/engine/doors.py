"""The compiled side of the doors: C functions that Python calls as builtins (see `refnet.engine.capi.builtin`).

A call through ctypes costs a microsecond, most of it for the conversion of its arguments; a builtin costs a tenth
of that. Each function takes three int64: the address of the tuple that it is bound to, of the array of arguments,
and how many there are. It returns a new reference, or 0 with an error set. The tuple's first item is an int64
array, the record, that tells it what to do; `refnet.engine.forward` fills it, in the order given here.
"""

from __future__ import annotations

from numba import njit, types

from refnet.engine.capi import ALIGNED, AXES, CONTIGUOUS, DIMENSIONS, DTYPE, FLAGS, TYPE, WRITEABLE
from refnet.engine.intrinsics import call_kernel, data_of, load_int64, store_int64

WORD, INT, VOID = types.int64, types.int32, types.void
SIGNATURE = WORD(WORD, WORD, WORD)

_bad_argument = types.ExternalFunction("PyErr_BadArgument", INT())
_take_reference = types.ExternalFunction("Py_IncRef", VOID(WORD))
_int_of = types.ExternalFunction("PyLong_AsLongLong", WORD(WORD))
_item = types.ExternalFunction("PyTuple_GetItem", WORD(WORD, WORD))
_call_python = types.ExternalFunction("PyObject_Vectorcall", WORD(WORD, WORD, WORD, WORD))
_release_gil = types.ExternalFunction("PyEval_SaveThread", WORD())
_acquire_gil = types.ExternalFunction("PyEval_RestoreThread", VOID(WORD))
_empty = types.ExternalFunction("PyArray_Empty", WORD(INT, WORD, WORD, INT))


def six_words(bound: int, arguments: int, count: int) -> int:
    """Call compiled code with six numbers, without the GIL; return None.

    Record: the code's address; a bit for each argument that is an ndarray, and stands for the address of that
    object, while the others are ints; the addresses of the classes int and ndarray, and of None.
    """
    record = data_of(_item(bound, 0))
    arrays, an_int, an_array = load_int64(record, 1), load_int64(record, 2), load_int64(record, 3)
    good = count == 6
    a = b = c = d = e = f = 0
    if good:
        for i in range(6):
            value = load_int64(arguments, i)
            is_array = (arrays >> i) & 1
            good = good and load_int64(value, TYPE) == (an_array if is_array else an_int)
            if good and not is_array:
                value = _int_of(value)
                good = value >= 0  # -1 for what does not fit
            a, b, c, d, e, f = b, c, d, e, f, value
    if not good:
        _bad_argument()
        return 0
    state = _release_gil()
    call_kernel(load_int64(record, 0), a, b, c, d, e, f)
    _acquire_gil(state)
    none = load_int64(record, 4)
    _take_reference(none)
    return none


@njit(error_model="numpy", forceinline=True)
def _is_plain(array: int, an_array: int, dtype: int, flags: int) -> bool:
    """Tell whether an object is an ndarray proper, of this dtype object and with all of these flags."""
    return (
        load_int64(array, TYPE) == an_array
        and load_int64(array, DTYPE) == dtype
        and load_int64(array, FLAGS) & flags == flags
    )


def forward(bound: int, arguments: int, count: int) -> int:
    """Run a whole forward pass of few rows: check x, make y, run the walk. Leave anything else to the Python function.

    It keeps the GIL, so that the scratch memory is its own.

    Record: the walk, its table and scratch memory; the class ndarray, the dtype object; x's columns and the most
    rows; the Python function; and the shape of y, whose rows are filled in here.
    """
    if count != 1:
        _bad_argument()
        return 0
    record, x = data_of(_item(bound, 0)), load_int64(arguments, 0)
    dtype = load_int64(record, 4)
    if _is_plain(x, load_int64(record, 3), dtype, CONTIGUOUS | ALIGNED) and load_int64(x, AXES) & 0xFFFFFFFF == 2:
        shape = load_int64(x, DIMENSIONS)
        rows = load_int64(shape, 0)
        if load_int64(shape, 1) == load_int64(record, 5) and rows <= load_int64(record, 6):
            store_int64(record, 8, rows)
            _take_reference(dtype)  # which _empty takes over
            y = _empty(2, record + 8 * 8, dtype, 0)
            if y != 0:
                walk, table, scratch = load_int64(record, 0), load_int64(record, 1), load_int64(record, 2)
                call_kernel(walk, table, x, y, 0, rows, scratch)
            return y
    return _call_python(load_int64(record, 7), arguments, 1, 0)


def activate(bound: int, arguments: int, count: int) -> int:
    """Run an activation of a plain array, given x and out or None. Leave anything else to the Python function.

    It keeps the GIL for few elements, since giving it away and getting it back is worth it only for longer work, and
    for rows, since all share one work space.

    Record: the kernel, its parameters and work space; the class ndarray, the dtype object and its bytes; the most
    elements, and up to how many to keep the GIL; the most columns of a row, or 0 if the kernel is not rowwise; the
    Python function; None.
    """
    if count != 2:
        _bad_argument()
        return 0
    record, x, out = data_of(_item(bound, 0)), load_int64(arguments, 0), load_int64(arguments, 1)
    an_array, dtype = load_int64(record, 3), load_int64(record, 4)
    if _is_plain(x, an_array, dtype, CONTIGUOUS | ALIGNED):
        axes, shape = load_int64(x, AXES) & 0xFFFFFFFF, load_int64(x, DIMENSIONS)
        size, last = 1, 1
        for i in range(axes):
            last = load_int64(shape, i)
            size *= last
        most_columns = load_int64(record, 8)
        columns = last if most_columns else 1
        suits = 0 < size <= load_int64(record, 6) and (most_columns == 0 or (axes > 0 and columns <= most_columns))
        y = 0
        if suits:
            if out == load_int64(record, 10):
                _take_reference(dtype)  # which _empty takes over
                y = _empty(axes, shape, dtype, 0)
                if y == 0:
                    return 0
            elif _is_plain(out, an_array, dtype, CONTIGUOUS | ALIGNED | WRITEABLE) and _fits(
                x, out, axes, size * load_int64(record, 5)
            ):
                _take_reference(out)
                y = out
        if y != 0:
            state = _release_gil() if size > load_int64(record, 7) else 0
            kernel, parameters, work = load_int64(record, 0), load_int64(record, 1), load_int64(record, 2)
            call_kernel(kernel, data_of(x), data_of(y), size // columns, columns, parameters, work)
            if state != 0:
                _acquire_gil(state)
            return y
    return _call_python(load_int64(record, 9), arguments, 2, 0)


@njit(error_model="numpy", forceinline=True)
def _fits(x: int, out: int, axes: int, size: int) -> bool:
    """Tell whether two arrays have one shape, and no byte in common."""
    apart = data_of(x) + size <= data_of(out) or data_of(out) + size <= data_of(x)
    fits = apart and load_int64(out, AXES) & 0xFFFFFFFF == axes
    if fits:
        for i in range(axes):
            fits = fits and load_int64(load_int64(x, DIMENSIONS), i) == load_int64(load_int64(out, DIMENSIONS), i)
    return fits
