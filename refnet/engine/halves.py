"""A loop whose steps are cut in two: the first half of a step runs beside the second half of the one before.

Each operation of a formula waits for the one before. A processor fills the time with what comes next, but looks only
some hundred instructions ahead, hardly more than one step has. Of two halves side by side each waits half as long.

What the first half has found waits in registers for the next turn. In the first turn nothing does: its second half
computes with zeros, and what it stores the next turn stores again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir

from refnet.engine.vectors import LINE, bytes_of, joined, pieces

__all__ = ["loop_in_halves"]

I64 = ir.IntType(64)

#: After how many cycles, about, a Zen 5 has the result of an operation or of LLVM's intrinsic; of others after one.
CYCLES = {"load": 6, "fpext": 6, "fdiv": 13, "sqrt": 20, "fma": 4, "fmul": 4, "x86": 4, "fadd": 3, "fsub": 3}


def loop_in_halves(
    builder: Any, first: Any, end: Any, step: int, load: Callable[[Any], list[Any]], use: Callable[[Any, Any], None]
) -> None:
    """Emit: for i from first to before end in steps: use(i, load(i)). There is a step at least, and only whole ones.

    ``load(i)`` emits loads of vectors; ``use(i, loaded)`` what is done with them, of which all up to the first jump is
    cut in two.
    """
    before, turn, after = builder.block, *map(builder.append_basic_block, ("halves", "halves.end"))
    start, last = builder.sub(first, I64(step)), builder.sub(end, I64(step))
    builder.branch(turn)
    builder.position_at_end(turn)
    i = builder.phi(I64)
    following = builder.add(i, I64(step))
    loaded = load(builder.select(builder.icmp_signed("<", following, last), following, last))
    use(builder.select(builder.icmp_signed("<", i, first), first, i), loaded)
    builder.cbranch(builder.icmp_signed("<", following, end), turn, after)
    i.add_incoming(start, before)
    i.add_incoming(following, builder.block)
    _cut(turn, loaded, before, builder.block)
    builder.position_at_end(after)


def _cut(turn: Any, loaded: list[Any], before: Any, latch: Any) -> None:
    """Delay the second half of what a block computes from ``loaded`` by a turn of the loop from it to ``latch``."""
    place = max(map(turn.instructions.index, loaded)) + 1
    rest, end = turn.instructions[place:-1], turn.instructions[-1]
    blocks = turn.function.blocks
    later = [end, *(each for block in blocks[blocks.index(turn) + 1 :] for each in block.instructions)]
    early, late = _halves(loaded, rest, later)
    crossing = _used_in([*late, *later], [*loaded, *early])

    moving = {*early, *late}
    turn.instructions[place:-1] = [each for each in rest if each not in moving] + _side_by_side(early, late)
    builder = ir.IRBuilder(turn)
    for value in crossing:
        builder.position_at_start(turn)
        carried = builder.phi(value.type)
        builder.position_before(end)
        carried.add_incoming(ir.Constant(value.type, None), before)
        carried.add_incoming(_kept(builder, value), latch)
        for each in (*late, *later):
            each.replace_usage(value, carried)


def _halves(loaded: list[Any], rest: list[Any], later: list[Any]) -> tuple[list[Any], list[Any]]:
    """Divide what is computed from ``loaded`` in the middle of the longest chain.

    What nothing in the first half needs is in the second, if no more then has to wait in registers.
    """
    ready = dict.fromkeys(loaded, CYCLES["load"])
    for each in rest:
        known = [ready[value] for value in _operands(each) if value in ready]
        if known:
            ready[each] = max(known) + CYCLES.get(_name(each), 1)
    computed = [each for each in rest if each in ready]
    middle = max(ready.values()) / 2
    early = [each for each in computed if ready[each] <= middle and not isinstance(each.type, ir.VoidType)]

    def late() -> list[Any]:
        return [each for each in computed if each not in early]

    waiting = set(_used_in([*late(), *later], [*loaded, *early]))
    moved = True
    while moved:
        moved = False
        for each in reversed(early):
            new = {value for value in _operands(each) if value in ready} - waiting
            alone = each in waiting and not _used_in([other for other in early if other is not each], [each])
            if alone and sum(map(bytes_of, new)) <= bytes_of(each):
                early.remove(each)
                waiting, moved = waiting - {each} | new, True
    return early, late()


def _name(instruction: Any) -> str:
    """Return the name of an operation, or of the intrinsic that it calls."""
    if not isinstance(instruction, ir.CallInstr):
        return str(instruction.opname)
    return str(getattr(instruction.callee, "name", "")).removeprefix("llvm.").partition(".")[0]


def _operands(instruction: Any) -> list[Any]:
    if isinstance(instruction, ir.PhiInstr):
        return [value for value, _ in instruction.incomings]
    return [value for value in instruction.operands if isinstance(value, ir.Instruction)]


def _used_in(instructions: Iterable[Any], values: Iterable[Any]) -> list[Any]:
    """Return which of the values the instructions read."""
    read = {value for each in instructions for value in _operands(each)}
    return [value for value in values if value in read]


def _side_by_side(early: list[Any], late: list[Any]) -> list[Any]:
    """Return both lists as one, evenly mixed; each keeps its order."""
    places = [((k + 0.5) / len(part), each) for part in (early, late) for k, each in enumerate(part)]
    return [each for _, each in sorted(places, key=lambda pair: pair[0])]


def _kept(builder: Any, value: Any) -> Any:
    """Return a value that LLVM computes here, and not only behind the jump, where the next turn needs it."""
    registers = bytes_of(value) // LINE
    if registers == 0:
        return value
    parts = pieces(builder, value, value.type.count // registers)
    kind = ir.FunctionType(parts[0].type, [parts[0].type])
    here = ir.InlineAsm(kind, "", "=v,0", side_effect=True)
    return joined(builder, [builder.call(here, [part]) for part in parts])
