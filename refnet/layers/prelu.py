"""The parametric rectifier: a slope below zero for every unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.elementary import where
from refnet.errors import ArgumentError, NotBuiltError, ShapeError
from refnet.layers import initializers
from refnet.layers.arguments import errors_of, for_training
from refnet.layers.configs import keras_object
from refnet.layers.inputs import Shape
from refnet.layers.layer import Layer
from refnet.layers.operations import Columnwise, Operation
from refnet.layers.weights import WeightSpec

__all__ = ["PReLU"]


class PReLU(Layer):
    """``x`` where it is positive, ``alpha * x`` elsewhere, with an ``alpha`` for every entry of a row.

    Parameters
    ----------
    alpha_initializer : str, dict, array or callable
        How ``alpha`` starts out (see `refnet.layers.initializers`).
    alpha_regularizer, alpha_constraint : object
        For training: kept in the config, without effect here.
    shared_axes : int or list of int, optional
        The axes, counted from 1, along which one ``alpha`` serves all.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`.

    Raises
    ------
    ArgumentError
        If ``shared_axes`` is not made of integers from 1 up, or a number stands for a regularizer.

    Notes
    -----
    Source: ``keras.layers.PReLU`` 3.15, which computes ``relu(x) - alpha * relu(-x)``. Here the product is rounded
    once; a zero is +0.0, as with ``relu``.

    Examples
    --------
    >>> from refnet import layers
    >>> layers.PReLU(alpha_initializer=[0.5, 0.25])([[-8.0, -8.0], [1.0, 2.0]])
    array([[-4., -2.],
           [ 1.,  2.]], dtype=float32)
    """

    _needs_shape = True
    _kept = ("shared_axes",)

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Iterable[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with errors_of(f"{self._who}: alpha_initializer"):
            self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = for_training(alpha_regularizer, "alpha_regularizer", self._who)
        self.alpha_constraint = for_training(alpha_constraint, "alpha_constraint", self._who)
        self.shared_axes = _shared(shared_axes, self._who)

    @property
    def alpha(self) -> NDArray[Any]:
        """The slopes below zero, read-only: the shape of a row, 1 along the shared axes."""
        if not self.built:
            raise NotBuiltError(f"{self._who} has no alpha yet; build it, or call it with an array")
        return self._weights[0]

    def _weight_specs(self, input_shape: Shape) -> tuple[WeightSpec, ...]:
        sizes = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if axis > len(sizes):
                raise ShapeError(
                    f"{self._who}: shared axis {axis} is not in input_shape {input_shape}; accepted: up to {len(sizes)}"
                )
            sizes[axis - 1] = 1
        known = [size for size in sizes if size is not None]
        if not sizes or len(known) < len(sizes):
            raise ShapeError(
                f"{self._who}: input_shape {input_shape} leaves the shape of alpha open;"
                " accepted: sizes on all axes behind the rows but the shared ones"
            )
        return (WeightSpec("alpha", tuple(known), self.alpha_initializer),)

    def _accepted_shape(self) -> Shape:
        sizes = self.alpha.shape
        shared = self.shared_axes or ()
        return (None, *(None if axis + 1 in shared else size for axis, size in enumerate(sizes)))

    def _takes_any_rank(self) -> bool:
        return False

    def operations(self) -> tuple[Operation, ...]:
        """Return a step with a parameter per column."""
        return (Columnwise(prelu, (self.alpha,)),)

    @property
    def activation_text(self) -> str:
        """The activation's name, for tables."""
        return "prelu"

    def call(self, x: ArrayLike) -> NDArray[Any]:
        """Return the layer's result, computed by NumPy."""
        return Columnwise(prelu, (self.alpha,))(self._as_input(x))

    def _own_config(self) -> dict[str, Any]:
        return {
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": keras_object(self.alpha_regularizer, "keras.regularizers"),
            "alpha_constraint": keras_object(self.alpha_constraint, "keras.constraints"),
            "shared_axes": self.shared_axes,
        }


def prelu(x: Any, alpha: Any) -> Any:
    """Return x where it is positive, alpha x elsewhere, which is 0 for an alpha of 0, also at -inf.

    Adding 0.0 turns the -0.0 of alpha * 0.0 into 0.0.

    Examples
    --------
    >>> prelu(np.array([-2.0, 3.0]), 0.25)
    array([-0.5,  3. ])
    """
    return where(x > 0.0, x, where((alpha == 0.0) & (x < 0.0), 0.0, alpha * x + 0.0))


def _shared(axes: Any, who: str) -> list[int] | None:
    if axes is None:
        return None
    given = list(axes) if isinstance(axes, (list, tuple)) else [axes]
    if any(isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) or axis < 1 for axis in given):
        raise ArgumentError(f"{who}: shared_axes is {axes!r}; accepted: integers from 1 up, None for none")
    return [int(axis) for axis in given]
