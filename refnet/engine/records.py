"""What stands where in the records that tell the doors what to do: int64 arrays, see `refnet.engine.doors`."""

from __future__ import annotations

#: In every record: the address of the code to run.
CODE = 0

#: For `six_words`: a bit for each argument that is an ndarray, and stands for a list of it alone, while the others are
#: ints; the addresses of the classes int and ndarray, and of None.
ARRAYS, INT_CLASS, ARRAY_CLASS, NONE = 1, 2, 3, 4

#: For `forward` and `activate`, and ARRAY_CLASS and NONE as well: the addresses of the table or the parameters, of
#: the scratch memory or the work space, and of the dtype object; the most rows or elements to take; the address of
#: the Python function that takes the rest.
TABLE, SCRATCH, DTYPE, MOST, PYTHON = 1, 2, 5, 6, 7

#: For `forward`: the columns of x; the shape of y in two words, whose rows are filled in at each call, as is y itself.
COLUMNS, SHAPE, OUTPUT = 8, 9, 11

#: For `activate`: up to how many elements to keep the GIL; the most columns of a row, or 0 if the kernel is not
#: rowwise; the bytes of an element; whether y is half as long as x along the last axis; y's shape, which is filled in
#: at each call, for up to `AXES` axes.
HELD, ROW, BYTES, HALVED, Y_SHAPE, AXES = 8, 9, 10, 11, 12, 8

LENGTH = Y_SHAPE + AXES
