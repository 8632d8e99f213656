"""Running a Python function once, at compile time, on numbers that write down what is done to them.

A `Number` stands for a float64 that the compiled code will have. Its operators emit one LLVM instruction each, so a
function of Numbers becomes straight-line code with every call inlined. numba would need a type, a data model and an
overload for each operator and each word to do the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

F64, I64 = ir.DoubleType(), ir.IntType(64)


class Condition:
    """A comparison's result; it can be combined with ``&`` and ``|``, and `select` reads it."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.builder, self.builder.and_(self.value, _condition(other).value))

    def __or__(self, other: Condition) -> Condition:
        return Condition(self.builder, self.builder.or_(self.value, _condition(other).value))

    def __invert__(self) -> Condition:
        return Condition(self.builder, self.builder.not_(self.value))

    def __bool__(self) -> bool:
        raise TypeError("a formula asks which way a comparison went; both ways are compiled")


class Number:
    """A float64 of the code under construction."""

    __slots__ = ("builder", "value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def constant(self, value: float) -> Number:
        """Return a constant of the same code."""
        return Number(self.builder, ir.Constant(F64, float(value)))

    def _emit(self, instruction: str, left: Number | float, right: Number | float) -> Number:
        a, b = self.lift(left), self.lift(right)
        return Number(self.builder, getattr(self.builder, instruction)(a.value, b.value))

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

    def __neg__(self) -> Number:
        return Number(self.builder, self.builder.fneg(self.value))

    def compare(self, sign: str, other: Number | float) -> Condition:
        """Compare as IEEE 754 does: with a NaN, only ``!=`` holds."""
        emit = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return Condition(self.builder, emit(sign, self.value, self.lift(other).value))

    def __lt__(self, other: Number | float) -> Condition:
        return self.compare("<", other)

    def __gt__(self, other: Number | float) -> Condition:
        return self.compare(">", other)

    def __eq__(self, other: Number | float) -> Condition:  # type: ignore[override]
        return self.compare("==", other)

    def __ne__(self, other: Number | float) -> Condition:  # type: ignore[override]
        return self.compare("!=", other)


def _condition(value: Any) -> Condition:
    if not isinstance(value, Condition):
        raise TypeError(f"a formula uses a {type(value).__name__} as a condition")
    return value


def _call(name: str, *numbers: Number) -> Number:
    """Call one of LLVM's functions of float64 numbers."""
    builder = numbers[0].builder
    function = builder.module.declare_intrinsic(name, [F64], ir.FunctionType(F64, [F64] * len(numbers)))
    return Number(builder, builder.call(function, [number.value for number in numbers]))


def fma(a: Number, b: Number | float, c: Number | float) -> Number:
    """Return a * b + c with one rounding."""
    return Number(a.builder, a.builder.fma(a.value, a.lift(b).value, a.lift(c).value))


def select(condition: Condition, a: Number, b: Number | float) -> Number:
    """Return a where the condition holds, else b."""
    return Number(a.builder, a.builder.select(_condition(condition).value, a.value, a.lift(b).value))


def absolute(x: Number) -> Number:
    """Return |x|, the sign bit cleared."""
    return _call("llvm.fabs", x)


def copysign(x: Number | float, sign: Number) -> Number:
    """Return x with the sign bit of ``sign``."""
    return _call("llvm.copysign", sign.lift(x), sign)


def sqrt(x: Number) -> Number:
    """Return the square root, rounded once."""
    return _call("llvm.sqrt", x)


def polynomial(coefficients: tuple[float, ...], x: Number) -> Number:
    """Return a polynomial's value by Horner's rule, its coefficients the highest power first."""
    value = x.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = fma(value, x, coefficient)
    return value


def bits_of(x: Number) -> Any:
    """Return the 64 bits, as an LLVM integer."""
    return x.builder.bitcast(x.value, I64)


def from_bits(builder: Any, bits: Any) -> Number:
    """Return the float64 with these bits."""
    return Number(builder, builder.bitcast(bits, F64))


def compiled(function: Callable[..., tuple[Number, ...]]) -> Any:
    """Return an intrinsic: it takes float64 numbers, and returns one, or a tuple, as ``function`` of Numbers does."""

    @intrinsic
    def run(context: Any, *numbers: Any) -> Any:
        results = len(trace(function, len(numbers)))
        returned = types.float64 if results == 1 else types.UniTuple(types.float64, results)

        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = [Number(builder, value) for value in cgutils.unpack_tuple(builder, args[0])]
            values = [number.value for number in function(*given)]
            return values[0] if results == 1 else ctx.make_tuple(builder, returned, values)

        return returned(types.StarArgTuple.from_types(numbers)), emit

    return run


def trace(function: Callable[..., tuple[Number, ...]], count: int) -> tuple[Number, ...]:
    """Run ``function`` on ``count`` Numbers of code that nobody will use.

    Raises
    ------
    TypeError
        If it does something with a Number that is not in the words of `refnet.elementary`.
    """
    blank = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), [F64] * count), "blank")
    builder = ir.IRBuilder(blank.append_basic_block())
    return function(*(Number(builder, argument) for argument in blank.args))
