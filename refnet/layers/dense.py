"""The fully connected layer."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import ArgumentError, NotBuiltError, ShapeError
from refnet.layers import activating, initializers
from refnet.layers.activating import Function, describe, numpy_reading, operations_of, resolve, serialized, shape_after
from refnet.layers.arguments import as_config, as_shape, errors_of, for_training
from refnet.layers.configs import keras_object
from refnet.layers.inputs import Shape, as_real_array, check_shape
from refnet.layers.layer import Layer
from refnet.layers.operations import Matmul, Operation
from refnet.layers.weights import WeightSpec

__all__ = ["Dense"]


class Dense(Layer):
    """``activation(x @ kernel + bias)``: every unit sees every input, over the last axis.

    Parameters
    ----------
    units : int
        How many units, from 1 up: the size of the last axis of the result (half of it for glu).
    activation : str, callable, Activation, activation layer or None
        A name of the book (``"relu"``), any function of one array, or an activation layer without weights.
        None is linear.
    use_bias : bool
        Whether a bias is added.
    kernel_initializer, bias_initializer : str, dict, array or callable
        How the weights start out (see `refnet.layers.initializers`).
    kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint : object
        For training: kept in the config, without effect here.
    lora_rank, lora_alpha, quantization_config : object
        Likewise. (Keras merges LoRA's matrices into the kernel when it saves.)
    **kwargs
        ``name``, ``dtype``, ``trainable``, ``input_shape``, ``input_dim``: see `Layer`.

    Raises
    ------
    ArgumentError
        If ``units`` is not a positive integer, the activation or an initializer is not known, ``use_bias`` is neither
        True nor False, or a number stands for a regularizer.
    ShapeError
        If the activation is glu and ``units`` is odd.
    DTypeError
        If an initializer is an array of something else than real numbers.

    Notes
    -----
    Source: ``keras.layers.Dense`` 3.15. ``x`` is (rows, ..., in), ``kernel`` (in, units), ``bias`` (units,).
    An activation layer of another dtype than the Dense rounds to its own, as in Keras.

    Examples
    --------
    >>> from refnet import layers
    >>> layer = layers.Dense(2, activation="relu", kernel_initializer="ones", name="hidden")
    >>> layer([[1.0, 2.0, 3.0], [-1.0, 0.0, 0.0]])
    array([[6., 6.],
           [0., 0.]], dtype=float32)
    >>> layer.kernel.shape, layer.output_shape
    ((3, 2), (None, 2))
    """

    _needs_shape = True
    _kept = ("units", "use_bias")

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: int | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        self.units = _positive(units, kwargs.get("name"))
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(use_bias, (bool, np.bool_)):
            raise ArgumentError(f"{self._who}: use_bias is {use_bias!r}; accepted: True or False")
        self.use_bias = bool(use_bias)
        self._activation = resolve(activation, self._who)
        with errors_of(f"{self._who}: kernel_initializer"):
            self.kernel_initializer = initializers.get(kernel_initializer)
        with errors_of(f"{self._who}: bias_initializer"):
            self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = for_training(kernel_regularizer, "kernel_regularizer", self._who)
        self.bias_regularizer = for_training(bias_regularizer, "bias_regularizer", self._who)
        self.kernel_constraint = for_training(kernel_constraint, "kernel_constraint", self._who)
        self.bias_constraint = for_training(bias_constraint, "bias_constraint", self._who)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha if lora_alpha is not None else lora_rank
        self.quantization_config = quantization_config
        shape_after(self.activation, (None, self.units), self.dtype, self._who)  # finds an odd glu at once

    @property
    def activation(self) -> Function:
        """The activation. Another may be put in its place, as in Keras, if it leaves as many columns."""
        return self._activation

    @activation.setter
    def activation(self, activation: Any) -> None:
        activating.replace(self, activation, (None, self.units) if self.built else None)

    @property
    def kernel(self) -> NDArray[Any]:
        """The weight matrix (in, units), read-only; `set_weights` replaces it."""
        return self._weight(0, "kernel")

    @property
    def bias(self) -> NDArray[Any] | None:
        """The bias (units,), read-only; None without one."""
        return self._weight(1, "bias") if self.use_bias else None

    def _weight(self, position: int, name: str) -> NDArray[Any]:
        if not self.built:
            raise NotBuiltError(f"{self._who} has no {name} yet; build it, or call it with an array")
        return self._weights[position]

    def _weight_specs(self, input_shape: Shape) -> tuple[WeightSpec, ...]:
        last = _last_axis(input_shape, self._who)
        kernel = WeightSpec("kernel", (last, self.units), self.kernel_initializer)
        return (kernel, WeightSpec("bias", (self.units,), self.bias_initializer)) if self.use_bias else (kernel,)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return ``input_shape`` with ``units`` as last axis, and as the activation leaves it: glu halves it."""
        shape = as_shape(input_shape, self._who)
        _require_two_axes(shape, self._who)
        return shape_after(self.activation, (*shape[:-1], self.units), self.dtype, self._who)

    def operations(self) -> tuple[Operation, ...]:
        """Return the matrix product, then the activation."""
        weights = self._weights  # one look, so that kernel and bias belong together
        if not weights:
            raise NotBuiltError(f"{self._who} is not built; call build(input_shape), or call it with an array")
        product = Matmul(weights[0], weights[1] if self.use_bias else None)
        return (product, *operations_of(self.activation, self.dtype, self._who))

    @property
    def activation_text(self) -> str:
        """The activation's name, for tables."""
        return describe(self.activation)

    def call(self, x: ArrayLike) -> NDArray[Any]:
        """Return ``activation(x @ kernel + bias)``, computed by NumPy as it is written.

        Parameters
        ----------
        x : array_like
            (rows, ..., in)

        Returns
        -------
        ndarray
            (rows, ..., units), in the layer's dtype.
        """
        z = self._as_input(x) @ self.kernel
        if self.bias is not None:
            z = z + self.bias
        return numpy_reading(self.activation, z, self._who)

    def _build_from(self, x: ArrayLike | None) -> None:
        if x is not None:  # a first input without rows or features is refused as a later one would be
            check_shape(as_real_array(x, self._who).shape, (None, None), self._who, any_rank=True)
        super()._build_from(x)

    def _accepted_shape(self) -> Shape:
        return (None, self.kernel.shape[0])

    def _in_features(self) -> int:
        return int(self.kernel.shape[0])

    def _own_config(self) -> dict[str, Any]:
        lora = {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha} if self.lora_rank else {}
        return {
            "units": self.units,
            "activation": serialized(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras_object(self.kernel_regularizer, "keras.regularizers"),
            "bias_regularizer": keras_object(self.bias_regularizer, "keras.regularizers"),
            "kernel_constraint": keras_object(self.kernel_constraint, "keras.constraints"),
            "bias_constraint": keras_object(self.bias_constraint, "keras.constraints"),
            "quantization_config": keras_object(self.quantization_config, "keras.quantizers"),
            **lora,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a Dense from what `get_config`, here or of Keras, gave."""
        if "units" not in as_config(config, "Dense"):
            raise ArgumentError(
                f"Dense {config.get('name', '?')!r}: its config has no 'units'; accepted: a config of Keras 2 or 3"
            )
        return cls(**config)


def _positive(units: Any, name: Any) -> int:
    who = f"Dense {name!r}" if isinstance(name, str) else "Dense"
    try:
        number = 0 if isinstance(units, (bool, np.bool_)) else operator.index(units)
    except TypeError:
        number = 0
    if number < 1:
        raise ArgumentError(f"{who}: units is {units!r}; accepted: a positive integer")
    return number


def _require_two_axes(shape: Shape, who: str) -> None:
    if len(shape) < 2:
        raise ShapeError(f"{who}: input_shape {shape} is too short; accepted: two axes or more, batch first")


def _last_axis(shape: Shape, who: str) -> int:
    _require_two_axes(shape, who)
    if shape[-1] is None:
        raise ShapeError(f"{who}: the last axis of input_shape {shape} is None; accepted: a size")
    return shape[-1]
