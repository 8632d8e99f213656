"""The activation layers without weights: Activation, ReLU, LeakyReLU, ELU."""

from __future__ import annotations

import warnings
from typing import Any

from numpy.typing import ArrayLike, NDArray

from refnet import activations
from refnet.activations.activation import Activation as Book
from refnet.errors import ArgumentError
from refnet.layers import activating
from refnet.layers.activating import Function, describe, numpy_reading, operations_of, resolve, serialized, shape_after
from refnet.layers.arguments import as_shape, errors_of, is_real
from refnet.layers.inputs import Shape
from refnet.layers.layer import Layer
from refnet.layers.operations import Operation

__all__ = ["ELU", "Activation", "LeakyReLU", "ReLU"]


class _Applies:
    """What layers have in common that do nothing but apply their ``activation``."""

    def operations(self: Any) -> tuple[Operation, ...]:
        """Return the activation."""
        return operations_of(self.activation, self.dtype, self._who)

    def call(self: Any, x: ArrayLike) -> NDArray[Any]:
        """Return the activation of ``x``, computed by NumPy."""
        return numpy_reading(self.activation, self._as_input(x), self._who)

    @property
    def activation_text(self: Any) -> str:
        """The activation's name and parameters, for tables."""
        return describe(self.activation)


class Activation(_Applies, Layer):
    """An activation as a layer of its own.

    Parameters
    ----------
    activation : str, callable, Activation, activation layer or None
        As for `Dense`; None is linear.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`.

    Notes
    -----
    Source: ``keras.layers.Activation`` 3.15. The input may have any shape.

    Examples
    --------
    >>> from refnet import layers
    >>> layers.Activation("relu")([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._activation: Function = resolve(activation, self._who)

    @property
    def activation(self) -> Function:
        """The activation. Another may be put in its place, as in Keras, if it gives the same shape."""
        return self._activation

    @activation.setter
    def activation(self, activation: Any) -> None:
        activating.replace(self, activation, self._input_shape)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape that the activation gives: the same, but for glu and the user's own functions."""
        return shape_after(self.activation, as_shape(input_shape, self._who), self.dtype, self._who)

    def _own_config(self) -> dict[str, Any]:
        return {"activation": serialized(self.activation)}


def _at_least_zero(value: Any, name: str, who: str) -> float:
    """Check a parameter that Keras wants at 0 or above."""
    if not is_real(value) or not value >= 0:
        raise ArgumentError(f"{who}: {name} is {value!r}; accepted: a number from 0 up")
    return value if isinstance(value, (int, float)) else float(value)


class ReLU(_Applies, Layer):
    """Rectified linear unit with a slope, a ceiling and a threshold.

    Parameters
    ----------
    max_value : float or None
        The highest result; None for no limit.
    negative_slope : float
        The slope below the threshold.
    threshold : float
        Where the line begins.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`.

    Raises
    ------
    ArgumentError
        If one of them is negative or not a number.

    Notes
    -----
    Source: ``keras.layers.ReLU`` 3.15. The order of the arguments is not that of the function ``relu``.

    Examples
    --------
    >>> from refnet import layers
    >>> layers.ReLU(6.0)([-1.0, 2.0, 7.0])
    array([0., 2., 6.], dtype=float32)
    """

    _kept = ("max_value", "negative_slope", "threshold", "activation")

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else _at_least_zero(max_value, "max_value", self._who)
        self.negative_slope = _at_least_zero(negative_slope, "negative_slope", self._who)
        self.threshold = _at_least_zero(threshold, "threshold", self._who)
        self.activation: Book = activations.get("relu").with_parameters(
            negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold
        )

    def _own_config(self) -> dict[str, Any]:
        slope, threshold = self.negative_slope, self.threshold
        return {"max_value": self.max_value, "negative_slope": slope, "threshold": threshold}


class LeakyReLU(_Applies, Layer):
    """Rectified linear unit that keeps a slope below zero.

    Parameters
    ----------
    negative_slope : float
        The slope below zero; 0.3 by default, where the function ``leaky_relu`` has 0.2.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`. ``alpha``, Keras 2's word for the slope, is taken too.

    Raises
    ------
    ArgumentError
        If the slope is negative or not a number.

    Notes
    -----
    Source: ``keras.layers.LeakyReLU`` 3.15.

    Examples
    --------
    >>> from refnet import layers
    >>> layers.LeakyReLU(0.5)([-10.0, 10.0])
    array([-5., 10.], dtype=float32)
    """

    _kept = ("negative_slope", "activation")

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn("LeakyReLU: alpha is Keras 2's word; write negative_slope", UserWarning, stacklevel=2)
        super().__init__(**kwargs)
        self.negative_slope = _at_least_zero(negative_slope, "negative_slope", self._who)
        self.activation: Book = activations.get("leaky_relu").with_parameters(negative_slope=self.negative_slope)

    def _own_config(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope}


class ELU(_Applies, Layer):
    """Exponential linear unit.

    Parameters
    ----------
    alpha : float
        What the result goes to at minus infinity, with the other sign.
    **kwargs
        ``name``, ``dtype``, ...: see `Layer`.

    Raises
    ------
    ArgumentError
        If ``alpha`` is not a number.

    Notes
    -----
    Source: ``keras.layers.ELU`` 3.15.

    Examples
    --------
    >>> from refnet import layers
    >>> layers.ELU(0.5)([-100.0, 2.0])
    array([-0.5,  2. ], dtype=float32)
    """

    _kept = ("alpha", "activation")

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with errors_of(self._who):
            self.activation: Book = activations.get("elu").with_parameters(alpha=alpha)
        self.alpha = self.activation.parameters["alpha"]

    def _own_config(self) -> dict[str, Any]:
        return {"alpha": self.alpha}
