"""Where a model's input shape stands: Input and InputLayer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from refnet.errors import ArgumentError, UnsupportedError
from refnet.layers.arguments import as_config, as_shape
from refnet.layers.inputs import Shape
from refnet.layers.layer import Layer

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """The entry of a model: it holds the input's shape and computes nothing.

    Parameters
    ----------
    shape : tuple, optional
        The shape of one row. Either this or ``batch_shape`` is needed.
    batch_size : int, optional
        How many rows, for the record: any number is taken when the model is called, as in Keras.
    dtype : str, optional
        float32 by default. A floating type changes nothing: the first layer rounds to its own. An integer type cuts
        the decimals off, as in Keras.
    sparse, ragged : bool, optional
        Not supported.
    batch_shape : tuple, optional
        ``(batch_size, *shape)``.
    optional : bool
        Kept in the config.
    name : str, optional
        By default input_layer, input_layer_1, ...

    Raises
    ------
    ArgumentError, UnsupportedError
        If the shapes are missing, double, or not made of sizes; for sparse or ragged input.

    Examples
    --------
    >>> InputLayer((5,), name="x").batch_shape
    (None, 5)
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "batch_input_shape" in kwargs:  # Keras 2's word
            batch_shape = kwargs.pop("batch_input_shape")
        if shape is None and "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        super().__init__(name=name, **kwargs)
        if sparse or ragged:
            raise UnsupportedError(
                f"{self._who}: sparse or ragged input has no counterpart in refnet; accepted: dense arrays"
            )
        if (shape is None) == (batch_shape is None):
            found = "neither shape nor batch_shape" if shape is None else "both shape and batch_shape"
            raise ArgumentError(f"{self._who}: {found} given; accepted: one of them, for example shape=(5,)")
        if batch_shape is not None and batch_size is not None:
            raise ArgumentError(f"{self._who}: both batch_size and batch_shape given; accepted: one of them")
        if shape is not None:
            batch_shape = (batch_size, *as_shape(shape, self._who, what="shape"))
        self.batch_shape: Shape = as_shape(batch_shape, self._who, what="batch_shape")
        if not self.batch_shape:
            raise ArgumentError(f"{self._who}: batch_shape is (); accepted: the batch first, for example (None, 5)")
        self._dtype = _number_type(dtype, self._who)
        self.optional = bool(optional)
        self._input_shape = self.batch_shape

    @property
    def shape(self) -> Shape:
        """The same as ``batch_shape``: what a Keras tensor from ``Input`` calls its shape."""
        return self.batch_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an InputLayer like this one, with the keys of Keras 3."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an InputLayer from what `get_config`, here or of Keras, gave."""
        return cls(**as_config(config, cls.__name__))


def Input(  # noqa: N802 - Keras' name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> InputLayer:
    """Return the entry of a model: what `Sequential` takes in front of its layers.

    The arguments are those of `InputLayer`, in Keras' order.

    Raises
    ------
    ArgumentError, UnsupportedError
        As `InputLayer`; and if ``tensor`` is given, which has no meaning here.

    Examples
    --------
    >>> import refnet
    >>> from refnet import layers
    >>> model = refnet.Sequential([refnet.Input((5,)), layers.Dense(2)])
    >>> model.input_shape, model.output_shape
    ((None, 5), (None, 2))
    """
    if tensor is not None:
        raise UnsupportedError("Input: tensor= wraps a Keras tensor, which refnet has none of; accepted: shape=")
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, optional, name)


def _number_type(dtype: Any, who: str) -> str:
    if dtype is None or dtype is float:  # Keras reads Python's float so
        return "float32"
    name = dtype.get("config", {}).get("name") if isinstance(dtype, Mapping) else dtype
    if name == "bfloat16":
        return "bfloat16"
    try:
        found = np.dtype(name)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "fiub":
        raise ArgumentError(
            f"{who}: dtype {name!r} is not accepted; accepted: a type of real numbers, such as 'float32'"
        )
    return str(found.name)
