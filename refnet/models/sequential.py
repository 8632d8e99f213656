"""The model of layers one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import ArgumentError, NotBuiltError, ShapeError
from refnet.layers.arguments import as_shape
from refnet.layers.input import InputLayer
from refnet.layers.inputs import Shape, as_real_array, check_shape
from refnet.layers.layer import Layer
from refnet.layers.locking import state_lock
from refnet.layers.operations import Operation
from refnet.layers.running import Segment
from refnet.layers.weights import frozen
from refnet.models.configs import model_config, read_config
from refnet.models.elsewhere import point_elsewhere
from refnet.models.predicting import predict
from refnet.models.stacking import entry_of, place_of, require_addable
from refnet.models.summary import print_summary

__all__ = ["Sequential"]


class Sequential(Layer):
    """A stack of layers, each taking what the one before gives.

    Parameters
    ----------
    layers : iterable of Layer, optional
        `Input` may stand first; the weights are made as soon as the input's shape is known: from `Input`, from
        ``input_shape=`` of the first layer, from `build`, or from the first array.
    trainable : bool
        Kept for `summary` and the config.
    name : str, optional
        By default sequential, sequential_1, ...

    Raises
    ------
    ArgumentError
        If two layers have one name, or something is not a layer of refnet.
    ShapeError
        If a layer cannot take what the one before gives.

    Notes
    -----
    Source: ``keras.Sequential`` 3.15. What runs is a Plan, made once and again after the weights or the layers
    change. A model may be called from many threads; one that is called while `set_weights` runs uses the old
    weights or the new ones, never some of each.

    Examples
    --------
    >>> import numpy as np
    >>> import refnet
    >>> from refnet import layers
    >>> model = refnet.Sequential(name="my_model")
    >>> model.add(layers.Dense(units=10, activation="relu", input_shape=(5,)))
    >>> model.add(layers.Dense(units=10, activation="softmax"))
    >>> result = model(np.random.default_rng(0).standard_normal((3, 5)))
    >>> result.shape, result.dtype
    ((3, 10), dtype('float32'))
    """

    _needs_shape = True
    _module = "keras"

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name, trainable=trainable)
        self._layers: tuple[Layer, ...] = ()
        self._input_layer: InputLayer | None = None
        self._built_through: tuple[Layer, ...] = ()
        if layers is not None and (isinstance(layers, str) or not isinstance(layers, Iterable)):
            raise ArgumentError(f"{self._who}: layers is of type {type(layers).__name__}; accepted: a list of layers")
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._build_if_known()

    @property
    def trainable(self) -> bool:
        """Whether a trainer may change the model; setting it sets that of every layer inside, as in Keras."""
        return self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self._trainable = bool(trainable)
        # There is none yet while the model is made. Python finds attributes faster while nobody asks for __dict__.
        for layer in getattr(self, "_layers", ()):
            layer.trainable = self._trainable

    # Layers

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the InputLayer."""
        return list(self._layers)

    def add(self, layer: Layer, rebuild: bool = True) -> None:
        """Put a layer, an `Input` or a model on top.

        Parameters
        ----------
        layer : Layer
        rebuild : bool
            Whether to make the weights at once, if the input's shape is known.

        Raises
        ------
        ArgumentError, ShapeError
            As for the class. The model is then as it was before.
        """
        require_addable(self, layer, self._input_layer is not None)
        with state_lock():
            before = (self._layers, self._input_layer, self.built)
            if isinstance(layer, InputLayer):
                self._input_layer = layer
            else:
                self._layers = (*self._layers, layer)
                self._input_layer = self._input_layer or entry_of(self._layers[0])
            self.built = False
            try:
                if rebuild:
                    self._build_if_known()
            except Exception:
                self._layers, self._input_layer, self.built = before
                raise
            layer._owners.add(self)
            self._changed()

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the topmost layer off and return it.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        with state_lock():
            if not self._layers:
                raise ArgumentError(f"{self._who} has no layer to pop; accepted: a model with layers")
            layer = self._layers[-1]
            self._layers = self._layers[:-1]
            if all(layer is not other for other in self._layers):
                layer._owners.discard(self)
            self.built = False
            if rebuild:
                self._build_if_known()
            self._changed()
        return layer

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer of this name or at this place.

        Raises
        ------
        ArgumentError
            If there is none, or not exactly one of the two is given.
        """
        if (name is None) == (index is None):
            found = "neither name nor index" if name is None else "both name and index"
            raise ArgumentError(f"{self._who}: get_layer was given {found}; accepted: one of them")
        if index is not None:
            return self._layers[place_of(index, len(self._layers), self._who)]
        for layer in self._layers:
            if layer.name == name:
                return layer
        names = ", ".join(repr(layer.name) for layer in self._layers) or "none"
        raise ArgumentError(f"{self._who}: there is no layer {name!r}; its layers are {names}")

    def _within(self) -> Iterator[Layer]:
        """Yield every layer and model inside, at any depth."""
        for layer in self._layers:
            yield layer
            if isinstance(layer, Sequential):
                yield from layer._within()

    def leaves(self) -> tuple[Layer, ...]:
        """Return the layers that compute, in order, those of models inside included."""
        return tuple(layer for layer in self._within() if not isinstance(layer, Sequential))

    def _different_leaves(self) -> list[Layer]:
        return list({id(layer): layer for layer in self.leaves()}.values())

    # Shapes

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for an input of this shape, batch first. What is built keeps its weights.

        Raises
        ------
        NotBuiltError
            If there are no layers.
        ArgumentError
            If it is no shape, or none is given and none is known.
        ShapeError
            If the model has another input shape already, or a layer cannot take what the one before gives.
        """
        with state_lock():
            if not self._layers:
                raise NotBuiltError(f"{self._who} has no layers; add one with model.add(layer) first")
            known = None if self._input_layer is None else self._input_layer.batch_shape
            shape = self._shape_to_build(input_shape, known)
            if known is not None and known[1:] != shape[1:]:
                raise ShapeError(f"{self._who}: input_shape {shape} given; accepted: {known}, which it was made for")
            self._build_through(known or shape)
            self._built_through = self.leaves()
            if self._input_layer is None:
                self._input_layer = InputLayer(batch_shape=shape, dtype=self._layers[0].dtype)
            self._input_shape, self.built = self._input_layer.batch_shape, True
            self._changed()

    def _build_through(self, shape: Shape) -> None:
        for layer in self._layers:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def _build_if_known(self) -> None:
        if self._input_layer is not None and self._layers:
            self.build(self._input_layer.batch_shape)

    def _build_from(self, x: ArrayLike | None) -> None:
        if x is not None and self._layers:
            check_shape(as_real_array(x, self._who).shape, (None, None), self._who, any_rank=True)
        if not self._layers:
            self.build()
        super()._build_from(x)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape that the model gives for one that it takes."""
        shape = as_shape(input_shape, self._who)
        for layer in self._layers:
            shape = layer.compute_output_shape(shape)
        return shape

    @property
    def dtype(self) -> str:
        """The dtype of the results: that of the last layer."""
        return self._layers[-1].dtype if self._layers else self._dtype

    # Weights

    @property
    def weights(self) -> list[NDArray[Any]]:
        """The weights of all layers in Keras' order, read-only; those of a layer that stands twice, once."""
        with state_lock():
            return [array for layer in self._different_leaves() for array in layer.weights]

    @property
    def weight_names(self) -> tuple[str, ...]:
        """The names of the weights, in the same order: ``("dense/kernel", "dense/bias", ...)``."""
        return tuple(f"{layer.name}/{name}" for layer in self._different_leaves() for name in layer.weight_names)

    def set_weights(self, weights: Any) -> None:
        """Replace the weights of all layers at once.

        Parameters
        ----------
        weights : sequence of array_like
            In the order of `get_weights`, in the same shapes.

        Raises
        ------
        NotBuiltError, ShapeError, DTypeError
            If the model has no shape yet, or the list does not fit. Then nothing has changed.
        """
        self._require_list_of_weights(weights)
        layers = self._different_leaves()
        expected = sum(len(layer.weights) for layer in layers)
        if len(weights) != expected:
            raise ShapeError(
                f"{self._who}: {len(weights)} weights given; accepted: {expected}, as get_weights returns them"
            )
        parts, start = [], 0
        for layer in layers:
            count = len(layer.weights)
            parts.append(layer._checked_weights(weights[start : start + count]))
            start += count
        with state_lock():
            for layer, part in zip(layers, parts, strict=True):
                layer._weights = part
                layer._changed()

    # Running

    def operations(self) -> tuple[Operation, ...]:
        """Return what the engine is to do, layer after layer."""
        return tuple(operation for layer in self._layers for operation in layer.operations())

    def _segments(self) -> list[Segment]:
        if self._built_through != self.leaves():  # layers came to a model inside, or left it
            self.build()
        segments: list[Segment] = []
        shape = self.input_shape
        for layer in self.leaves():
            if segments and segments[-1].dtype == layer.dtype:
                last = segments.pop()
                segments.append(last._replace(operations=last.operations + layer.operations()))
            else:
                segments.append(Segment(layer.operations(), shape[-1], layer.dtype))
            shape = layer.compute_output_shape(shape)
        return segments

    def _accepted_shape(self) -> Shape:
        return self.input_shape

    def _takes_any_rank(self) -> bool:
        return False

    def _in_dtype(self) -> str | None:
        entry = self._input_layer
        return entry.dtype if entry is not None and np.dtype(entry.dtype).kind in "iub" else None

    def call(self, x: ArrayLike) -> NDArray[Any]:
        """Return the model's result, computed by NumPy in the plainest way, layer after layer.

        Parameters
        ----------
        x : array_like
            (rows, ..., in)

        Returns
        -------
        ndarray
            May differ from ``model(x)`` by the order in which sums are rounded.
        """
        self._build_if_need_be(x)
        y = as_real_array(x, self._who)
        check_shape(y.shape, self.input_shape, self._who)
        if self._in_dtype() is not None:
            y = y.astype(self._in_dtype())
        for layer in self._layers:
            y = layer.call(y)
        return y

    def predict(
        self,
        x: ArrayLike,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: Any = None,
        callbacks: Any = None,
    ) -> NDArray[Any]:
        """Return the model's result, batch after batch, with a progress bar if it takes long.

        Parameters
        ----------
        x : array_like
            (rows, ..., in)
        batch_size : int, optional
            At most so many rows at once. It changes no bit of the result; None chooses.
        verbose : {"auto", 0, 1, 2}
            0 never shows a bar. The others show one on a terminal, once several batches have taken a second.
        steps, callbacks : None
            For Keras' datasets, which refnet does not read.

        Returns
        -------
        ndarray
            The same bits as ``model(x)``. No rows in, no rows out.

        Raises
        ------
        DTypeError, ShapeError, ArgumentError
            If ``x`` or an argument cannot be used.
        """
        if steps is not None or callbacks is not None:
            raise ArgumentError(
                f"{self._who}: predict was given steps or callbacks; accepted: None, since x is one array"
            )
        return predict(self, x, batch_size, verbose)

    def predict_on_batch(self, x: ArrayLike) -> NDArray[Any]:
        """Return ``model(x)``."""
        return self(x)

    # Showing and saving

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the table of the layers: see `refnet.models.summary.print_summary`."""
        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def __getstate__(self) -> dict[str, Any]:
        # The layers are copied one after another, while another thread may set weights: these are of one moment.
        with state_lock():
            return {**super().__getstate__(), "_moment": [layer._weights for layer in self._different_leaves()]}

    def get_config(self) -> dict[str, Any]:
        """Return what makes a model like this one, without the weights, in the form and with the keys of Keras 3."""
        with state_lock():
            entries = (*((self._input_layer,) if self._input_layer else ()), *self._layers)
            return model_config(self, entries, self.input_shape if self.built else None)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a model from what `get_config`, here or of Keras, gave. Its weights are new.

        Raises
        ------
        ArgumentError
            If the config is not one of a Sequential model.
        UnsupportedError
            If it is one of a Functional model, or a layer has no counterpart.
        """
        name, trainable, layers, shape = read_config(config)
        model = cls(layers, trainable=trainable, name=name)
        if shape is not None and layers and not model.built:
            model.build(shape)
        return model

    def __setstate__(self, state: dict[str, Any]) -> None:
        moment = state.pop("_moment")
        super().__setstate__(state)
        for layer in self._layers:
            layer._owners.add(self)
        for layer, arrays in zip(self._different_leaves(), moment, strict=True):
            layer._weights = tuple(map(frozen, arrays))


point_elsewhere(Sequential)
