"""Errors in units in the last place: formats, ordered bits, Goldberg's ulp, and classes of results.

The *ulp of a true value* t (Goldberg 1991; Muller, INRIA RR-5504) is the spacing of the format's numbers
in the binade of t: ``2 ** (e - p + 1)`` for ``2**e <= |t| < 2**(e + 1)``, never under the smallest
subnormal, and beyond the largest finite number the spacing of the last binade. It is taken of the true
value, not of the result, so that the unit does not depend on who is judged.

Reports give the *fractional, signed* error ``(y - t) / ulp(t)``: a correctly rounded result lies within
[-0.5, 0.5]. The *integer distance* counts the steps between two numbers of the format.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refnet.errors import DTypeError

__all__ = [
    "CLASSES",
    "FORMATS",
    "Format",
    "classify",
    "distance",
    "error",
    "format_of",
    "fraction",
    "from_bits",
    "number",
    "ordered",
    "round_wide",
    "to_bits",
    "ulp",
]

#: Classes of a result, in the order of the codes that `classify` returns.
CLASSES = ("normal", "subnormal", "overflow", "special")


@dataclasses.dataclass(frozen=True)
class Format:
    """A binary floating-point format (IEEE 754 letters: precision p, exponents emin to emax).

    Attributes
    ----------
    name : str
        NumPy's name of the dtype.
    bits : int
        Width of the whole number.
    precision : int
        Significant bits, the hidden one included.
    emax : int
        Exponent of the largest binade; the smallest normal one is ``1 - emax``.
    """

    name: str
    bits: int
    precision: int
    emax: int

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number."""
        return 1 - self.emax

    @property
    def etiny(self) -> int:
        """Exponent of the smallest subnormal number."""
        return self.emin - self.precision + 1

    @property
    def infinity(self) -> int:
        """Bit pattern of infinity; those of the finite positive numbers lie below."""
        return (2 * self.emax + 1) << (self.precision - 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype; for bfloat16 that of ml_dtypes."""
        if self.name == "bfloat16":
            try:
                import ml_dtypes
            except ImportError as missing:
                raise DTypeError("dtype 'bfloat16' needs the package ml_dtypes, which is not installed") from missing
            bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
            return bfloat16
        return np.dtype(self.name)

    @property
    def unsigned(self) -> np.dtype[Any]:
        """The unsigned integers of the same width."""
        return np.dtype(f"uint{self.bits}")


#: The formats that can be judged, by name.
FORMATS = {
    format_.name: format_
    for format_ in (
        Format("float16", 16, 11, 15),
        Format("bfloat16", 16, 8, 127),
        Format("float32", 32, 24, 127),
        Format("float64", 64, 53, 1023),
    )
}


def format_of(dtype: DTypeLike) -> Format:
    """Return the format of a dtype or of its name.

    Raises
    ------
    DTypeError
        If it is none of float16, bfloat16, float32, float64.

    Examples
    --------
    >>> format_of("float32").etiny
    -149
    """
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    if name not in FORMATS:
        raise DTypeError(f"dtype {name!r} cannot be judged; accepted: {', '.join(FORMATS)}")
    return FORMATS[name]


def to_bits(x: NDArray[Any]) -> NDArray[Any]:
    """Return the bit patterns of ``x`` as unsigned integers of its width."""
    return np.ascontiguousarray(x).view(format_of(x.dtype).unsigned).reshape(x.shape)


def from_bits(bits: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Return the numbers whose bit patterns are ``bits``.

    Examples
    --------
    >>> from_bits([0x3F800000], "float32")
    array([1.], dtype=float32)
    """
    kind = format_of(dtype)
    return np.asarray(bits).astype(kind.unsigned).view(kind.dtype)


def ordered(x: NDArray[Any]) -> NDArray[np.int64]:
    """Return integers that rise with ``x``, one step per number of the format; both zeros give 0.

    Examples
    --------
    >>> ordered(np.float32([-1e-45, -0.0, 0.0, 1e-45]))
    array([-1,  0,  0,  1])
    """
    kind = format_of(x.dtype)
    bits = to_bits(x)
    magnitude = (bits & kind.unsigned.type((1 << (kind.bits - 1)) - 1)).astype(np.int64)
    return np.asarray(np.where(bits >> kind.unsigned.type(kind.bits - 1) != 0, -magnitude, magnitude), np.int64)


def distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.uint64]:
    """Return how many steps of the format lie between ``a`` and ``b`` (same dtype).

    Both zeros are one place, two NaNs are at distance 0, and a NaN is 2**64 - 1 away from any number.

    Examples
    --------
    >>> distance(np.float32([1.0, 1.0]), np.nextafter(np.float32([1.0, 1.0]), np.float32([2.0, 1.0])))
    array([1, 0], dtype=uint64)
    """
    first, second = ordered(a), ordered(b)
    # The difference of two int64 fits in uint64, and unsigned arithmetic wraps to it.
    steps = np.maximum(first, second).astype(np.uint64) - np.minimum(first, second).astype(np.uint64)
    no_number = np.isnan(a), np.isnan(b)
    steps = np.where(no_number[0] ^ no_number[1], np.uint64(2**64 - 1), steps)
    return np.where(no_number[0] & no_number[1], np.uint64(0), steps)


def ulp(true: ArrayLike, dtype: DTypeLike) -> NDArray[np.float64]:
    """Return Goldberg's ulp of the true values ``true`` in the format ``dtype``, as float64.

    Parameters
    ----------
    true : array_like
        float64 (or long double) numbers; infinities count as just beyond the last binade, NaN gives NaN.
    dtype : dtype or str
        The format whose spacing is asked for.

    Examples
    --------
    >>> ulp([1.0, 1.9, 2.0, 0.0], "float32") / 2.0**-23
    array([1.00000000e+00, 1.00000000e+00, 2.00000000e+00, 1.17549435e-38])
    """
    kind = format_of(dtype)
    true = np.asarray(true)
    _, exponent = np.frexp(true)  # true = m * 2**exponent with 0.5 <= |m| < 1
    exponent = np.where(np.isinf(true), kind.emax + 1, exponent)
    exponent = np.where(true == 0, kind.emin + 1, exponent)
    exponent = np.clip(exponent - 1, kind.emin, kind.emax)
    unit = np.ldexp(np.float64(1.0), exponent - kind.precision + 1)
    return np.asarray(np.where(np.isnan(true), np.nan, unit), np.float64)


def error(y: NDArray[Any], high: ArrayLike, low: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Return the signed error of ``y`` in ulps of the true value ``high + low``.

    Parameters
    ----------
    y : ndarray
        Results; their dtype is the format.
    high, low : array_like
        The true value as an unevaluated sum of two float64, ``high`` being the sum rounded to float64.
        A float64 ``y`` needs ``low``; for the narrower formats ``high`` alone is enough.

    Returns
    -------
    ndarray of float64
        A ``y`` or truth beyond ``2 ** (emax + 1)``, infinite or not, counts as that. NaN against NaN is 0; NaN
        against a number is inf.

    Examples
    --------
    >>> error(np.float32([1.0]), [1.0 + 2.0**-25])
    array([-0.25])
    """
    kind = format_of(y.dtype)
    high, low = np.asarray(high, np.float64), np.asarray(low, np.float64)
    with np.errstate(all="ignore"):
        unit = ulp(high, kind.name)
        # Just under a power of two the true value lies in the lower binade, whose spacing is half.
        below = (np.abs(np.frexp(high)[0]) == 0.5) & (low * np.sign(high) < 0) & (np.abs(high) > 2.0**kind.emin)
        unit = np.where(below, unit / 2, unit)
        scaled = _scaled(y.astype(np.float64), unit, kind) - _scaled(high, unit, kind)
        result = scaled - np.where(np.abs(high) / 2 >= 2.0**kind.emax, 0.0, low / unit)
    lost = np.isnan(y) ^ np.isnan(high)
    result = np.where(np.isnan(y) & np.isnan(high), 0.0, result)
    return np.asarray(np.where(lost, np.inf, result), np.float64)


def _scaled(value: NDArray[np.float64], unit: NDArray[np.float64], kind: Format) -> NDArray[np.float64]:
    """Return value / unit, held within 2**(emax + 1). Dividing first keeps float64 from overflowing."""
    edge = np.ldexp(np.float64(1.0), np.int64(kind.emax)) / unit * 2
    return np.clip(value / unit, -edge, edge)


def fraction(number: Any) -> Fraction:
    """Return a finite mpmath number as a fraction, exactly.

    Examples
    --------
    >>> import mpmath
    >>> fraction(mpmath.mpf(-0.75))
    Fraction(-3, 4)
    """
    mantissa, exponent = number.man_exp  # without the sign
    size = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -size if number < 0 else size


def classify(x: NDArray[Any], true: ArrayLike) -> NDArray[np.int8]:
    """Return the class of each result as an index into `CLASSES`.

    ``special``: the input is NaN, an infinity or a zero. ``subnormal``: the true value is not zero and
    smaller than the smallest normal number. ``overflow``: it lies in the last binade or beyond.
    ``normal``: all others, results that are exactly zero included.

    Parameters
    ----------
    x : ndarray
        The inputs; their dtype is the format.
    true : array_like
        The true values, float64 or wider.
    """
    kind = format_of(x.dtype)
    size = np.abs(np.asarray(true))
    codes = np.zeros(x.shape, np.int8)
    codes[(size > 0) & (size < 2.0**kind.emin)] = CLASSES.index("subnormal")
    codes[size >= 2.0**kind.emax] = CLASSES.index("overflow")
    codes[~np.isfinite(x) | (x == 0)] = CLASSES.index("special")
    return codes


def number(bits: int, dtype: DTypeLike) -> str:
    """Return the number with that pattern, with all its digits.

    Examples
    --------
    >>> number(0x3F800000, "float32")
    '1'
    """
    with np.errstate(invalid="ignore"):
        value = float(from_bits([bits], dtype).astype(np.float64)[0])
    digits = {11: 5, 8: 4, 24: 9, 53: 17}[format_of(dtype).precision]
    return f"{value:.{digits}g}"


def round_wide(value: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Round float64 or long double numbers once, to nearest and ties to even, into the format ``dtype``.

    bfloat16 is rounded here because a cast by way of float32 would round twice.

    Examples
    --------
    >>> round_wide(np.array([1.0 + 2.0**-24, 1.0 + 2.0**-24 + 2.0**-50]), "float32")
    array([1.       , 1.0000001], dtype=float32)
    """
    kind = format_of(dtype)
    with np.errstate(all="ignore"):
        if kind.name != "bfloat16":
            return np.asarray(value).astype(kind.dtype)
        unit = ulp(value, kind.name).astype(value.dtype)
        return np.where(np.isfinite(value), np.rint(value / unit) * unit, value).astype(np.float32).astype(kind.dtype)
