"""From arrays of results to a tally of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import ulp
from parity.sweep.tally import EDGES, KEPT, Class, Finding, Tally

__all__ = ["Extent", "Results", "pattern"]

#: The range of right results, as numbers of the format.
Extent = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Results:
    """Results beside the right ones.

    Attributes
    ----------
    bits : ndarray of uint64
        Bit patterns of the inputs, or the results' places in rows.
    got, right : ndarray
        The results and the correctly rounded ones.
    errors : ndarray of float64
        Signed errors in ulp.
    wrong : ndarray of bool
        Which are misrounded.
    """

    bits: NDArray[np.uint64]
    got: NDArray[Any]
    right: NDArray[Any]
    errors: NDArray[np.float64]
    wrong: NDArray[np.bool_]

    def finding(self, place: int) -> Finding:
        """Return the result at an index of the arrays."""
        return Finding(
            int(self.bits[place]), pattern(self.got, place), pattern(self.right, place), float(self.errors[place])
        )

    def outside(self, reach: Extent) -> NDArray[np.bool_]:
        """Return which results lie outside the range of right results, where there is a right one."""
        low, high = reach
        return np.asarray(~((self.got >= low) & (self.got <= high)) & ~np.isnan(self.right))

    def tally(
        self, codes: NDArray[np.int8] | int, zero: NDArray[np.bool_], outside: NDArray[np.bool_], undecided: int = 0
    ) -> Tally:
        """Return the counts, order aside.

        Parameters
        ----------
        codes : ndarray of int8 or int
            The class of each result as an index into `parity.ulp.CLASSES`, or the one class of them all.
        zero, outside : ndarray of bool
            Which are zeros of the wrong sign, and which out of range.
        undecided : int
            How many mpmath decided.
        """
        masks = {"out_of_range": outside, "wrong_zero": zero}
        return Tally(
            classes=tuple(self._class(_where(codes, code)) for code in range(len(ulp.CLASSES))),
            histogram=self._histogram(),
            out_of_range=int(np.count_nonzero(outside)),
            wrong_zero=int(np.count_nonzero(zero)),
            examples={name: self.finding(int(np.argmax(mask))) for name, mask in masks.items() if mask.any()},
            undecided=undecided,
            misrounded=tuple(self.finding(int(each)) for each in np.flatnonzero(self.wrong)[:KEPT]),
        )

    def _class(self, where: Any) -> Class:
        part = np.abs(self.errors[where])
        if part.size == 0:
            return Class()
        worst = int(np.argmax(part))
        worst = worst if isinstance(where, slice) else int(where[worst])
        return Class(int(part.size), int(np.count_nonzero(self.wrong[where])), self.finding(worst))

    def _histogram(self) -> tuple[int, ...]:
        """Return how many errors there are in each bin of `parity.sweep.tally.EDGES`."""
        small = int(np.count_nonzero(np.abs(self.errors) <= EDGES[0]))
        large = np.abs(self.errors[self.wrong])
        counts = np.bincount(np.searchsorted(EDGES, large), minlength=len(EDGES) + 1)
        # What is correctly rounded and above a quarter is at most a half, but for the last bit of `errors` itself.
        counts[1] += self.errors.size - large.size - small + counts[0]
        counts[0] = small
        return tuple(int(each) for each in counts)


def _where(codes: NDArray[np.int8] | int, code: int) -> Any:
    if isinstance(codes, int):  # without an array of all indices: what a sweep mostly meets
        return np.s_[:] if codes == code else np.s_[:0]
    return np.flatnonzero(codes == code)


def pattern(values: NDArray[Any], place: int) -> int:
    """Return the bit pattern of one of the values."""
    return int(ulp.to_bits(values[place : place + 1])[0])
