"""A function of Numbers -> a compiled loop over arrays, many lanes at a time.

The function runs on several vectors at once: its operations are a chain, each waiting for the one before, and a
processor looks only some hundred instructions ahead. One vector at a time is half as fast. What is left at the end
runs on fewer (`SHORT`), of which a mask says which are real.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.engine.halves import loop_in_halves
from refnet.engine.machine import machine
from refnet.engine.trace import Number, from_float32
from refnet.engine.vectors import (
    LINE,
    NUMBERS,
    address_as,
    constant,
    each,
    first_lanes,
    load,
    masked_load,
    prefetch,
    splat,
    store,
    stream,
)

__all__ = ["SUMS", "added", "lanes_at_once", "over_lanes", "parameters_at", "widened"]

#: Vectors of float64 that a function runs on for what is left at the end.
SHORT = 2

#: Into how many sums a loop adds: entry i goes into sum i modulo this, whatever the CPU's vectors.
SUMS = 16

F64, I32, I64 = ir.DoubleType(), ir.IntType(32), ir.IntType(64)

#: Numbers in, numbers out.
Function = Callable[..., tuple[Number, ...]]

#: The sums so far and what comes to each of them -> the sums after that.
Fold = Callable[[list[Number], list[Number]], list[Number]]


def over_lanes(
    function: Function,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    parameters: int = 0,
    live: int = 4,
    streaming: bool = False,
    fold: Fold | None = None,
    ahead: tuple[bool, ...] = (),
    repeated: tuple[int, ...] = (),
    halves: bool = False,
    lookup: Callable[..., Any] | None = None,
) -> Any:
    """Return the compiled ``run(count, values, *addresses)``.

    Parameters
    ----------
    function : callable
        Takes a Number for each input, then one for each parameter; returns a tuple, one Number for each output.
    inputs, outputs : tuple of {"float32", "float64"}
        What stands at the addresses, inputs first: ``count`` numbers each. They are widened to float64 and rounded
        from it. An output may be the same place as an input.
    parameters : int
        How many float64 stand at the address ``values``. Or ``values`` is a tuple of them: what is computed from them
        alone is then computed once, and not in the loop.
    live : int
        Into how many parts the vector registers are divided: the function runs on as many vectors at once as one part
        holds. 4 is right for a short formula in Numbers, 8 for a long one (`refnet.engine.kernels.LONG`), for rows and
        for pairs.
    streaming : bool
        Whether the only output goes past the caches to memory, which then need not be read first. The
        caller must end with a `refnet.engine.vectors.fence`.
    fold : callable, optional
        What the function returns beyond its outputs is folded into sums, `SUMS` of each. They stand at one more
        address behind the outputs', and are added to what is there.
    ahead : tuple of bool
        Memory to have brought in: for each, one more address before all others, of as many numbers of the first
        input's dtype that will soon be read (False) or written (True). They need not exist.
    repeated : tuple of int
        Which inputs, by their places, begin again after as many numbers as one more address behind all others says: a
        power of two times `lanes_at_once`, of which ``count`` must then be a multiple.
    halves : bool
        Whether steps are cut in two (`refnet.engine.halves`).
    lookup : callable, optional
        How to load a whole step of an input: ``lookup(builder, address, table, i, lanes)``. The table stands at one
        more address behind all others, and ``count`` must be a multiple of `lanes_at_once`.
    """
    loop = _Loop(function, inputs, outputs, parameters, live, streaming, fold, ahead, repeated, halves, lookup)

    @intrinsic
    def run(context: Any, count: Any, values: Any, *addresses: Any) -> Any:
        at_address = isinstance(values, types.Integer)

        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            count, values, packed = args
            given = values if at_address else cgutils.unpack_tuple(builder, values)
            _emit(builder, loop, count, given, cgutils.unpack_tuple(builder, packed))
            return ctx.get_dummy_value()

        return types.void(types.int64, values, types.StarArgTuple.from_types(addresses)), emit

    return run


def _emit(builder: Any, loop: _Loop, count: Any, values: Any, addresses: list[Any]) -> None:
    """Emit a loop: whole steps, and before and behind them what fills none."""
    long, short = lanes_at_once(loop.live), SHORT * machine().lanes(8)

    def part(first: Any, end: Any) -> None:
        def step(i: Any) -> None:
            mask = first_lanes(builder, builder.sub(end, i), short)
            masked = _Code(builder, loop, short, mask, values, addresses)
            masked.use(i, masked.load(i))

        each(builder, first, end, short, step)

    start = I64(0)
    if loop.streaming:  # whole steps begin where the output begins a cache line
        start = _until_line(builder, addresses[-1], count, NUMBERS[loop.outputs[0]][1])
        part(I64(0), start)
    end = builder.sub(count, builder.and_(builder.sub(count, start), I64(long - 1)))
    whole = _Code(builder, loop, long, None, values, addresses)
    if loop.halves:
        with builder.if_then(builder.icmp_signed("<", start, end)):
            loop_in_halves(builder, start, end, long, whole.load, whole.use)
    else:
        each(builder, start, end, long, lambda i: whole.use(i, whole.load(i)))
    part(end, count)


def _until_line(builder: Any, address: Any, count: Any, size: int) -> Any:
    """Return how many numbers, of so many at most, stand before the next cache line begins."""
    left = builder.udiv(builder.and_(builder.neg(address), I64(LINE - 1)), I64(size))
    return builder.select(builder.icmp_signed("<", count, left), count, left)


def added(sums: list[Number], values: list[Number]) -> list[Number]:
    """Return each sum with its value added: a `Fold`."""
    return [total + value for total, value in zip(sums, values, strict=True)]


def lanes_at_once(live: int) -> int:
    """Return on how many numbers a function runs at once, where the registers are divided into ``live`` parts."""
    return machine().registers // live * machine().lanes(8)


@dataclass(frozen=True)
class _Loop:
    """What every step of a loop has to know; see `over_lanes`."""

    function: Function
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int
    live: int
    streaming: bool
    fold: Fold | None
    ahead: tuple[bool, ...]
    repeated: tuple[int, ...]
    halves: bool
    lookup: Callable[..., Any] | None


class _Code:
    """The code of a step under construction: how it loads, and what it does with what is loaded.

    ``values`` are the parameters, or the address where they stand.
    """

    def __init__(self, builder: Any, loop: _Loop, lanes: int, mask: Any, values: Any, addresses: list[Any]) -> None:
        self.builder, self.loop, self.lanes, self.mask = builder, loop, lanes, mask
        if isinstance(values, list):
            self.more = [Number(builder, value) for value in values]
        else:
            self.more = parameters_at(builder, values, loop.parameters, lanes)
        asked, ends = addresses[: len(loop.ahead)], addresses[len(loop.ahead) :]
        self.asked = [*zip(asked, loop.ahead, strict=True)]
        self.period_mask = builder.sub(ends.pop(), I64(1)) if loop.repeated else None
        self.table = None if loop.lookup is None else ends.pop()
        self.sums = None if loop.fold is None else ends.pop()
        self.ends = ends

    def _place(self, number: int, i: Any) -> tuple[Any, Any]:
        """Return the type and the address of what is loaded or stored at step i."""
        kind, size = NUMBERS[(*self.loop.inputs, *self.loop.outputs)[number]]
        place = self.builder.and_(i, self.period_mask) if number in self.loop.repeated else i
        address = self.builder.add(self.ends[number], self.builder.mul(place, I64(size)))
        return ir.VectorType(kind, self.lanes), address

    def load(self, i: Any) -> list[Any]:
        """Load the inputs from i on."""
        places = range(len(self.loop.inputs))
        if self.loop.lookup is not None and self.mask is None:
            return [self.loop.lookup(self.builder, self.ends[k], self.table, i, self.lanes) for k in places]
        return [_loaded(self.builder, *self._place(k, i), self.mask) for k in places]

    def use(self, i: Any, loaded: list[Any]) -> None:
        """Run the function, and store and fold its results."""
        builder, loop, wide = self.builder, self.loop, ir.VectorType(F64, self.lanes)
        for address, write in self.asked:
            _ask(builder, address, i, self.lanes, NUMBERS[loop.inputs[0]][1], write)
        results = loop.function(*(widened(builder, value, wide) for value in loaded), *self.more)
        for number, result in enumerate(results[: len(loop.outputs)], start=len(loop.inputs)):
            kind, address = self._place(number, i)
            rounded = result.value if kind == wide else builder.fptrunc(result.value, kind)
            if loop.streaming and self.mask is None:
                stream(builder, rounded, address)
            else:
                store(builder, rounded, address, self.mask)
        if loop.fold is not None:
            _fold(builder, loop.fold, results[len(loop.outputs) :], self.sums, i, self.mask)


def _loaded(builder: Any, kind: Any, place: Any, mask: Any) -> Any:
    """Load a vector; lanes that are no numbers are 1, which sends no formula a longer way."""
    if mask is None:
        return load(builder, kind, place)
    return masked_load(builder, kind, place, mask, constant(kind, 1.0))


def widened(builder: Any, value: Any, wide: Any) -> Number:
    """Return loaded numbers as float64."""
    if value.type == wide:
        return Number(builder, value)
    return from_float32(Number(builder, value))


def parameters_at(builder: Any, values: Any, count: int, lanes: int) -> list[Number]:
    """Return so many float64 from an address on, each in every lane."""
    places = (address_as(builder, builder.add(values, I64(8 * k)), F64) for k in range(count))
    return [Number(builder, splat(builder, builder.load(place), lanes)) for place in places]


def _ask(builder: Any, address: Any, i: Any, lanes: int, size: int, write: bool) -> None:
    """Prefetch the cache lines of the numbers from i on."""
    place = builder.add(address, builder.mul(i, I64(size)))
    for line in range(0, lanes * size, LINE):
        prefetch(builder, builder.add(place, I64(line)), write)


def _fold(builder: Any, fold: Fold, results: tuple[Number, ...], sums: Any, i: Any, mask: Any) -> None:
    """Fold the results of the entries from i on into the sums at an address, `SUMS` entries after the other."""
    values = [result.value for result in results]
    lanes = values[0].type.count
    if mask is not None:
        values = [builder.select(mask, value, ir.Constant(value.type, None)) for value in values]
    count = min(lanes, SUMS)
    kind = ir.VectorType(F64, count)
    first = builder.mul(builder.and_(i, I64(SUMS - 1)), I64(8)) if lanes < SUMS else I64(0)
    places = [builder.add(sums, builder.add(first, I64(8 * SUMS * k))) for k in range(len(values))]
    states = [Number(builder, load(builder, kind, place)) for place in places]
    for start in range(0, lanes, count):
        chosen = ir.Constant(ir.VectorType(I32, count), [*range(start, start + count)])
        states = fold(states, [Number(builder, builder.shuffle_vector(value, value, chosen)) for value in values])
    for state, place in zip(states, places, strict=True):
        store(builder, state.value, place)
