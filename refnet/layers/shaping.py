"""Layers that reshape, or do nothing once a model is trained: Flatten, Dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import ArgumentError, ShapeError
from refnet.layers.arguments import as_shape, is_real
from refnet.layers.inputs import Shape
from refnet.layers.layer import Layer
from refnet.layers.operations import Call, Operation

__all__ = ["Dropout", "Flatten"]


class Dropout(Layer):
    """Drop a share of the inputs in training; in refnet, which does not train, pass everything on.

    Parameters
    ----------
    rate : float
        The share, from 0 to 1.
    noise_shape, seed : object
        For training: kept in the config.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`.

    Raises
    ------
    ArgumentError
        If ``rate`` is not a number from 0 to 1.

    Notes
    -----
    Source: ``keras.layers.Dropout`` 3.15.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_real(rate) or not 0 <= rate <= 1:
            raise ArgumentError(f"{self._who}: rate is {rate!r}; accepted: a number from 0 to 1")
        self.rate = rate
        self.noise_shape = noise_shape
        self.seed = seed

    def _own_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class Flatten(Layer):
    """Lay all axes behind the rows out as one.

    Parameters
    ----------
    data_format : {"channels_last", "channels_first"}
        With ``"channels_first"`` the second axis is moved to the end before.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`.

    Raises
    ------
    ArgumentError
        If ``data_format`` is neither.

    Notes
    -----
    Source: ``keras.layers.Flatten`` 3.15. An input of one axis becomes a column.

    Examples
    --------
    >>> from refnet import layers
    >>> layers.Flatten()([[[1, 2], [3, 4]]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    _needs_shape = True
    _kept = ("data_format",)

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = "channels_last" if data_format is None else data_format
        if self.data_format not in ("channels_last", "channels_first"):
            raise ArgumentError(
                f"{self._who}: data_format is {data_format!r}; accepted: 'channels_last', 'channels_first'"
            )

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return (rows, the product of the other sizes)."""
        shape = as_shape(input_shape, self._who)
        if not shape:
            raise ShapeError(f"{self._who}: input_shape is (); accepted: one axis or more")
        sizes = [size for size in shape[1:] if size is not None]
        return (shape[0], math.prod(sizes) if len(sizes) == len(shape) - 1 else None)

    def operations(self) -> tuple[Operation, ...]:
        """Return a reshape."""
        return (Call(self._flat, "flatten"),)

    def call(self, x: ArrayLike) -> NDArray[Any]:
        """Return ``x`` with its axes behind the rows as one."""
        return self._flat(self._as_input(x))

    def _flat(self, x: NDArray[Any]) -> NDArray[Any]:
        if x.ndim == 0:
            raise ShapeError(f"{self._who}: input is a single number; accepted: one axis or more")
        if self.data_format == "channels_first" and x.ndim > 1:
            x = np.moveaxis(x, 1, -1)
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def _own_config(self) -> dict[str, Any]:
        return {"data_format": self.data_format}
