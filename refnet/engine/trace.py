"""Running a Python function once, at compile time, on numbers that write down what is done to them.

A `Number` stands for a float64 that the compiled code will have, or for a vector of them; where the two meet, the one
is spread over the lanes of the other. Its operators emit one LLVM instruction each, so a function of Numbers becomes
straight-line code with every call inlined. numba would need a type, a data model and an overload for each operator and
each word to do the same, and has no vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.engine.vectors import bytes_of, splat

F32, F64 = ir.FloatType(), ir.DoubleType()


class Condition:
    """A comparison's result; it can be combined with ``&`` and ``|``, and `select` reads it."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.builder, self.builder.and_(*_alike(self.builder, self.value, _condition(other).value)))

    def __or__(self, other: Condition) -> Condition:
        return Condition(self.builder, self.builder.or_(*_alike(self.builder, self.value, _condition(other).value)))

    def number(self, value: float) -> Number:
        """Return a constant with as many lanes as this has."""
        kind = self.value.type
        numbers = ir.VectorType(F64, kind.count) if isinstance(kind, ir.VectorType) else F64
        return Number(self.builder, like(numbers, ir.Constant(F64, float(value))))

    def __invert__(self) -> Condition:
        return Condition(self.builder, self.builder.not_(self.value))

    def __bool__(self) -> bool:
        raise TypeError("a formula asks which way a comparison went; both ways are compiled")


class Number:
    """A float64, or a vector of them, of the code under construction.

    It is NaN or from ``least`` to ``most``, as far as is known. ``narrow``, if there is one, is the same number in
    float32, where a vector of comparisons takes half as many instructions.
    """

    __slots__ = ("builder", "least", "most", "narrow", "value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value
        self.narrow: Any = None
        self.least, self.most = -inf, inf

    def within(self, least: float, most: float) -> Number:
        """Return the same number, known to be NaN or within these bounds."""
        same = Number(self.builder, self.value)
        same.narrow = self.narrow
        same.least, same.most = least, most
        return same

    def constant(self, value: float) -> Number:
        """Return a constant of the same code, in every lane."""
        kind = self.value.type
        number = kind.element if isinstance(kind, ir.VectorType) else kind
        return Number(self.builder, like(kind, ir.Constant(number, float(value))))

    def _emit(self, instruction: str, left: Number | float, right: Number | float) -> Number:
        a, b = _alike(self.builder, self.lift(left).value, self.lift(right).value)
        return Number(self.builder, getattr(self.builder, instruction)(a, b))

    def lift(self, other: Number | float) -> Number:
        """Return ``other`` as a Number; anything else than a number is refused."""
        if isinstance(other, Number):
            return other
        if isinstance(other, (int, float)):
            return self.constant(other)
        raise TypeError(f"a formula computes with a {type(other).__name__}")

    def __add__(self, other: Number | float) -> Number:
        return self._emit("fadd", self, other)

    def __radd__(self, other: float) -> Number:
        return self._emit("fadd", other, self)

    def __sub__(self, other: Number | float) -> Number:
        return self._emit("fsub", self, other)

    def __rsub__(self, other: float) -> Number:
        return self._emit("fsub", other, self)

    def __mul__(self, other: Number | float) -> Number:
        return self._emit("fmul", self, other)

    def __rmul__(self, other: float) -> Number:
        return self._emit("fmul", other, self)

    def __truediv__(self, other: Number | float) -> Number:
        return self._emit("fdiv", self, other)

    def __rtruediv__(self, other: float) -> Number:
        return self._emit("fdiv", other, self)

    def __pow__(self, power: Any) -> Number:
        return small_power(self, power)

    def __abs__(self) -> Number:
        return absolute(self)

    def __bool__(self) -> bool:
        raise TypeError("a formula asks whether a number is 0")

    def __neg__(self) -> Number:
        return Number(self.builder, self.builder.fneg(self.value)).within(-self.most, -self.least)

    def compare(self, sign: str, other: Number | float) -> Condition:
        """Compare as IEEE 754 does: with a NaN, only ``!=`` holds."""
        emit = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return Condition(self.builder, emit(sign, *_alike(self.builder, self.value, self.lift(other).value)))

    def _compare_narrow(self, sign: str, other: Number | float) -> Condition:
        """Compare in float32 where that is the same."""
        if self.narrow is None or isinstance(other, Number) or not _is_float32(other):
            return self.compare(sign, other)
        emit = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return Condition(self.builder, emit(sign, self.narrow, like(self.narrow.type, ir.Constant(F32, float(other)))))

    def __lt__(self, other: Number | float) -> Condition:
        return self._compare_narrow("<", other)

    def __le__(self, other: Number | float) -> Condition:
        return self._compare_narrow("<=", other)

    def __gt__(self, other: Number | float) -> Condition:
        return self._compare_narrow(">", other)

    def __ge__(self, other: Number | float) -> Condition:
        return self._compare_narrow(">=", other)

    def __eq__(self, other: Number | float) -> Condition:  # type: ignore[override]
        return self._compare_narrow("==", other)

    def __ne__(self, other: Number | float) -> Condition:  # type: ignore[override]
        return self._compare_narrow("!=", other)


def _is_float32(value: float) -> bool:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) == value


def like(kind: Any, constant: Any) -> Any:
    """Return a scalar constant as one of a type: itself, or a vector with it in every lane."""
    return ir.Constant(kind, [constant] * kind.count) if isinstance(kind, ir.VectorType) else constant


def _alike(builder: Any, *values: Any) -> list[Any]:
    """Return all with as many lanes as the longest has."""
    lanes = max(value.type.count if isinstance(value.type, ir.VectorType) else 1 for value in values)
    return [
        value if lanes == 1 or isinstance(value.type, ir.VectorType) else splat(builder, value, lanes)
        for value in values
    ]


def small_power(x: Any, power: Any) -> Any:
    """Return x to the power 1, 2, 3 or 4 by repeated products."""
    if not isinstance(power, (int, float)) or power not in (1, 2, 3, 4):
        raise TypeError(f"a formula raises to the power {power!r}")
    result = x
    for _ in range(int(power) - 1):
        result = result * x
    return result


def _condition(value: Any) -> Condition:
    if not isinstance(value, Condition):
        raise TypeError(f"a formula uses a {type(value).__name__} as a condition")
    return value


def _call(name: str, *numbers: Number) -> Number:
    """Call one of LLVM's functions of float64 numbers."""
    builder = numbers[0].builder
    return Number(builder, _called(builder, name, *_alike(builder, *(number.value for number in numbers))))


def _called(builder: Any, name: str, *values: Any) -> Any:
    """Call one of LLVM's functions, of vectors or numbers of one type."""
    kind = values[0].type
    number = kind.element if isinstance(kind, ir.VectorType) else kind
    suffix = "f32" if number == F32 else "f64"
    full = f"{name}.v{kind.count}{suffix}" if isinstance(kind, ir.VectorType) else f"{name}.{suffix}"
    function = builder.module.globals.get(full)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(values)), full)
    return builder.call(function, values)


def fma(a: Number, b: Number | float, c: Number | float) -> Number:
    """Return a * b + c with one rounding."""
    return _call("llvm.fma", a, a.lift(b), a.lift(c))


def select(condition: Condition, a: Number, b: Number | float) -> Number:
    """Return a where the condition holds, else b."""
    return Number(
        a.builder, a.builder.select(*_alike(a.builder, _condition(condition).value, a.value, a.lift(b).value))
    )


def seldom(condition: Condition, rare: Callable[[], Number], usual: Number) -> Number:
    """Return ``rare()`` where the condition holds, else ``usual``. If no lane needs it, its code is skipped."""
    return seldom_several(condition, lambda: [rare()], [usual])[0]


def seldom_several(condition: Condition, rare: Callable[[], Sequence[Number]], usual: Sequence[Number]) -> list[Number]:
    """Return the numbers of ``rare()`` where the condition holds, else those of ``usual``, as `seldom` does."""
    builder = _condition(condition).builder
    mask, *values = _alike(builder, condition.value, *(number.value for number in usual))
    usual, condition = [Number(builder, value) for value in values], Condition(builder, mask)
    return jump(condition, lambda: [select(condition, *pair) for pair in zip(rare(), usual, strict=True)], usual)


def jump(condition: Condition, rare: Callable[[], Sequence[Number]], usual: Sequence[Number]) -> list[Number]:
    """Return in all lanes the numbers of ``rare()`` if the condition holds in one, else those of ``usual``."""
    builder = condition.builder
    asked = condition.value
    if isinstance(asked.type, ir.VectorType):
        bits = ir.IntType(asked.type.count)
        asked = builder.icmp_unsigned("!=", builder.bitcast(asked, bits), ir.Constant(bits, 0))
    before = builder.block
    some, after = builder.append_basic_block("seldom"), builder.append_basic_block("seldom.end")
    builder.cbranch(asked, some, after).set_weights([1, 50])
    builder.position_at_end(some)
    others = [number.value for number in rare()]
    last = builder.block
    builder.branch(after)
    builder.position_at_end(after)
    results = [builder.phi(other.type) for other in others]
    for result, number, other in zip(results, usual, others, strict=True):
        result.add_incoming(number.value, before)
        result.add_incoming(other, last)
    return [Number(builder, result) for result in results]


def apart(x: Number) -> Number:
    """Return a float32's number, unknown to be the same: code behind a jump then keeps nothing else in registers."""
    return from_float32(Number(x.builder, _called(x.builder, "llvm.arithmetic.fence", in_float32(x).value)))


def absolute(x: Number) -> Number:
    """Return |x|, the sign bit cleared."""
    result = _call("llvm.fabs", x).within(0.0, inf)
    if x.narrow is not None:
        result.narrow = _called(x.builder, "llvm.fabs", x.narrow)
    return result


def copysign(x: Number | float, sign: Number) -> Number:
    """Return x with the sign bit of ``sign``."""
    return _call("llvm.copysign", sign.lift(x), sign)


def in_float32(x: Number) -> Number:
    """Return the number rounded to float32, to compute with in float32."""
    kind = ir.VectorType(F32, x.value.type.count) if isinstance(x.value.type, ir.VectorType) else F32
    return Number(x.builder, x.builder.fptrunc(x.value, kind) if x.narrow is None else x.narrow)


def in_float64(x: Number) -> Number:
    """Return a number of float32 as a float64."""
    kind = ir.VectorType(F64, x.value.type.count) if isinstance(x.value.type, ir.VectorType) else F64
    return Number(x.builder, x.builder.fpext(x.value, kind))


def from_float32(x: Number) -> Number:
    """Return a number of float32 as a float64 that remembers it."""
    wide = in_float64(x)
    wide.narrow = x.value
    return wide


def known(x: Number) -> float | None:
    """Return the value of a constant, or None if x is another number."""
    if not isinstance(x.value, ir.Constant):
        return None
    one = x.value.constant[0] if isinstance(x.value.type, ir.VectorType) else x.value
    return float(one.constant)


def sqrt(x: Number) -> Number:
    """Return the square root, rounded once."""
    return _call("llvm.sqrt", x)


def polynomial(coefficients: tuple[float, ...], x: Number) -> Number:
    """Return a polynomial's value by Horner's rule, its coefficients the highest power first."""
    value = x.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = fma(value, x, coefficient)
    return value


def compiled(function: Callable[..., tuple[Number, ...]]) -> Any:
    """Return an intrinsic: it takes float64 numbers, and returns one, or a tuple, as ``function`` of Numbers does."""

    @intrinsic
    def run(context: Any, *numbers: Any) -> Any:
        results = len(_blank(function, len(numbers))[1])
        returned = types.float64 if results == 1 else types.UniTuple(types.float64, results)

        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = [Number(builder, value) for value in cgutils.unpack_tuple(builder, args[0])]
            values = [number.value for number in function(*given)]
            return values[0] if results == 1 else ctx.make_tuple(builder, returned, values)

        return returned(types.StarArgTuple.from_types(numbers)), emit

    return run


def trace(function: Callable[..., tuple[Number, ...]], count: int) -> int:
    """Run ``function`` on ``count`` Numbers of code that nobody will use; return how many fused multiply-adds it has.

    Raises
    ------
    TypeError
        If it does something with a Number that is not in the words of `refnet.elementary`.
    """
    _, results = _blank(function, count)
    needed = [result.value for result in results]
    calls, seen = set(), set()
    while needed:
        value = needed.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if _is_fma(value):
            calls.add(id(value))
        if isinstance(value, ir.PhiInstr):
            needed += [incoming for incoming, _ in value.incomings]
        elif isinstance(value, ir.Instruction):
            needed += value.operands
    return len(calls)


def main_way(function: Callable[..., tuple[Number, ...]], count: int, lanes: int) -> tuple[int, int]:
    """Return how many bytes of results, and how many fused multiply-adds, come before the first jump.

    The function runs on vectors of ``lanes`` numbers of float32.
    """
    blank, _ = _blank(lambda *numbers: function(*map(from_float32, numbers)), count, ir.VectorType(F32, lanes))
    operations = blank.blocks[0].instructions
    return sum(map(bytes_of, operations)), sum(map(_is_fma, operations))


def _blank(function: Callable[..., tuple[Number, ...]], count: int, kind: Any = F64) -> tuple[Any, tuple[Number, ...]]:
    """Run ``function`` on ``count`` Numbers; return the code that it made, and its results."""
    blank = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), [kind] * count), "blank")
    builder = ir.IRBuilder(blank.append_basic_block())
    return blank, function(*(Number(builder, argument) for argument in blank.args))


def _is_fma(value: Any) -> bool:
    return isinstance(value, ir.CallInstr) and "llvm.fma" in value.callee.name
