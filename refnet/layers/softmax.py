"""The softmax layer: softmax along any axis or axes, with a mask if there is one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet import activations
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.arguments import as_shape
from refnet.layers.inputs import Shape, as_real_array
from refnet.layers.layer import Layer
from refnet.layers.operations import Activate, Call, Operation

__all__ = ["Softmax"]


class Softmax(Layer):
    """Softmax along an axis: positive numbers that add up to 1.

    Parameters
    ----------
    axis : int or list of int
        The axis or axes along which the results add up to 1.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`.

    Raises
    ------
    ArgumentError
        If ``axis`` is not made of integers.

    Notes
    -----
    Source: ``keras.layers.Softmax`` 3.15. With a ``mask``, what is masked counts for nothing and gets 0. Keras puts
    -1e9 in its place first, which is the same for all entries above about -1e9; a row that is masked as a whole is
    all 0 in both.

    Examples
    --------
    >>> from refnet import layers
    >>> layers.Softmax()([1.0, 2.0, 1.0])
    array([0.21194156, 0.57611686, 0.21194156], dtype=float32)
    >>> layers.Softmax()([1.0, 2.0, 1.0], mask=[True, False, True])
    array([0.5, 0. , 0.5], dtype=float32)
    """

    _kept = ("axis",)

    def __init__(self, axis: int | list[int] | tuple[int, ...] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis: int | list[int] = _axes(axis, self._who)

    def __call__(  # type: ignore[override]  # Keras' order
        self, inputs: ArrayLike, mask: ArrayLike | None = None, training: bool | None = False
    ) -> NDArray[Any]:
        """Return the softmax of ``inputs``, computed by the engine.

        Parameters
        ----------
        inputs : array_like
            Real numbers of any shape that has the axis.
        mask : array_like, optional
            True, or a number above 0.5, for what counts. Its axes are 1 or those of ``inputs``.
        training : bool
            Only False.

        Returns
        -------
        ndarray
            Of the shape of ``inputs``, in the layer's dtype.
        """
        if mask is None:
            return super().__call__(inputs, training)
        values = self._as_input(inputs)
        keep = _mask(mask, values.shape, self._who)
        y = super().__call__(np.where(keep, values, -np.inf).astype(values.dtype), training)
        return np.where(keep, y, np.zeros((), y.dtype))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the same shape, which must have the axis.

        Raises
        ------
        ShapeError
            If it has not.
        """
        shape = as_shape(input_shape, self._who)
        _require_axes(self.axis, len(shape), self._who)
        return shape

    def operations(self) -> tuple[Operation, ...]:
        """Return the activation along the last axis, or a call along others."""
        softmax = activations.get("softmax")
        if self.axis == -1:
            return (Activate(softmax),)

        def along(z: NDArray[Any]) -> NDArray[Any]:
            _require_axes(self.axis, z.ndim, self._who)
            axes = [self.axis] if isinstance(self.axis, int) else self.axis
            axes = [axis % z.ndim for axis in axes]
            return np.asarray(softmax(z, axis=axes[0] if len(axes) == 1 else tuple(axes)))

        return (Call(along, f"softmax along axis {self.axis}"),)

    @property
    def activation_text(self) -> str:
        """The activation's name, for tables."""
        return "softmax" if self.axis == -1 else f"softmax(axis={self.axis})"

    def call(self, x: ArrayLike) -> NDArray[Any]:
        """Return the softmax of ``x``, computed by NumPy."""
        values = self._as_input(x)
        _require_axes(self.axis, values.ndim, self._who)
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        to_end = tuple(range(-len(axes), 0))
        moved = np.moveaxis(values, axes, to_end)
        kept = values.ndim - len(axes)
        rows = moved.reshape(*moved.shape[:kept], math.prod(moved.shape[kept:]))
        softmax = activations.get("softmax").numpy(rows)
        return np.moveaxis(softmax.reshape(moved.shape), to_end, axes)

    def _own_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


def _axes(axis: Any, who: str) -> int | list[int]:
    given = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if not given or any(isinstance(one, bool) or not isinstance(one, (int, np.integer)) for one in given):
        raise ArgumentError(f"{who}: axis is {axis!r}; accepted: an integer or a list of integers")
    axes = [int(one) for one in given]
    return axes if isinstance(axis, (list, tuple)) else axes[0]


def _require_axes(axis: int | list[int], rank: int, who: str) -> None:
    axes = [axis] if isinstance(axis, int) else axis
    if any(not -rank <= one < rank for one in axes):
        raise ShapeError(f"{who}: axis {axis} is not in an input of {rank} axes; accepted: {-rank} to {rank - 1}")
    if len({one % rank for one in axes}) < len(axes):
        raise ArgumentError(f"{who}: axis {axis} names an axis of {rank} twice; accepted: each once")


def _mask(mask: ArrayLike, shape: tuple[int, ...], who: str) -> NDArray[np.bool_]:
    array = as_real_array(mask, who, "mask")
    fits = array.ndim <= len(shape) and all(
        size in (1, here) for size, here in zip(reversed(array.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise ShapeError(
            f"{who}: mask has shape {array.shape} for an input of shape {shape}; accepted: sizes 1 or the same"
        )
    keep = array if array.dtype == np.bool_ else array > 0.5
    return np.broadcast_to(keep, shape)
