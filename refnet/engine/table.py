"""How a Plan's steps are laid out as int64 for the compiled walk: one row of `WORDS` numbers each.

Row 0 is the head: number of steps, rows in a tile, offset of the work space in the scratch memory. Every further row is
a step: operation, source, target, width in, width out, address of the packed weight or of the kernel, address of the
bias or of the parameters, and the number of units of work up to the step's end (see
`refnet.engine.walk.walk_columns`).

A source and a target are offsets of buffers in the scratch memory, or below 0 arrays of the call: a source of -1 is its
first input, of -2 its second, a target of -1 its first output. Any step may read any of them, so steps need not be a
chain; a chain has `FIRST` at both ends.
"""

from __future__ import annotations

#: Numbers of a row of the table.
WORDS = 8

#: Kinds of steps.
MATMUL, KERNEL = 0, 1
FIRST = -1

#: Multiply-adds that an activation of one number is counted as.
ACTIVATION_WORK = 20

#: How many numbers a block of rows has at most in a rowwise kernel, unless one row has more.
BLOCK = 1024

#: How many rooms of a work space the terms of rows that are computed together may fill.
ROOMS = 2

#: By how many float64 the arrays of a rowwise kernel's work space are longer than the numbers in them. Arrays that lie
#: a power of two apart fall into the same places of the first-level cache, and a load waits for another's stores.
APART = 40


def room(columns: int) -> int:
    """Return from where to where, in float64, the arrays of a work space lie: whole cache lines."""
    return (max(BLOCK, columns) + APART + 7) // 8 * 8


def work_size(columns: int) -> int:
    """Return how many float64 a kernel needs as work space for rows of ``columns``; short rows as lanes need most."""
    return max(5 * room(columns), 7 * room(0)) + BLOCK
