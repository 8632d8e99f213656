"""The base of all layers: name, dtype, shapes, weights, config, and how a layer runs."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import ArgumentError, DTypeError, NotBuiltError, ShapeError, did_you_mean
from refnet.layers.arguments import (
    as_config,
    as_shape,
    batch_shape,
    checked_name,
    dtype_name,
    dtype_policy,
    for_training,
)
from refnet.layers.inputs import Shape, as_input, as_real_array
from refnet.layers.locking import state_lock
from refnet.layers.operations import Operation
from refnet.layers.running import Ready, Segment, make_ready
from refnet.layers.weights import WeightSpec, checked, frozen, initial, require_shapes

__all__ = ["LAYERS", "Layer"]

#: Every layer class of refnet by Keras' class name; filled as the classes are made.
LAYERS: dict[str, type[Layer]] = {}


class Layer:
    """One layer: a name, a dtype, and what the engine is to do (`operations`).

    Parameters
    ----------
    name : str, optional
        By default the class in snake case, counted: dense, dense_1, ...
    dtype : {"float32", "float64"}, optional
        Of weights and results; float32 by default.
    trainable : bool
        Kept for `summary` and the config; refnet does not train.
    input_shape : tuple, optional
        The shape of one row, as older Keras code writes it in a model's first layer. ``Input(shape)`` in front
        says the same. The first use in a process is noted on the logger ``refnet`` at level INFO, since a
        warning for each would be noise: see `refnet.layers.arguments.batch_shape`.
    input_dim : int, optional
        Short for ``input_shape=(input_dim,)``.
    activity_regularizer, autocast : object
        For training; the first is kept in the config.

    Attributes
    ----------
    built : bool
        Whether the weights exist.

    Notes
    -----
    Weights are read-only arrays in a tuple that is swapped whole, so that whoever holds one keeps a consistent
    set. A swap drops the Plan of the layer and of every model it is in; the next call builds a new one.

    A subclass gives `_weight_specs`, `compute_output_shape`, `operations`, `call` and `_own_config`, as far as
    the defaults here (no weights, same shape, nothing to do) do not fit.
    """

    #: Whether the layer can be used only once its input shape is known.
    _needs_shape: ClassVar[bool] = False
    #: Attributes that a layer keeps once it is built: setting one would not change what runs.
    _kept: ClassVar[tuple[str, ...]] = ()
    #: Where Keras keeps the class.
    _module: ClassVar[str] = "keras.layers"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("refnet."):
            LAYERS[cls.__name__] = cls

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        input_shape: Any = None,
        input_dim: Any = None,
        activity_regularizer: Any = None,
        autocast: bool = True,
        batch_input_shape: Any = None,
        **unknown: Any,
    ) -> None:
        self.name = checked_name(name, type(self).__name__)
        if unknown:
            key = next(iter(unknown))
            raise ArgumentError(f"{self._who}: argument {key!r} unknown{did_you_mean(key, self._argument_names())}")
        if not isinstance(trainable, bool):
            raise ArgumentError(f"{self._who}: trainable is {trainable!r}; accepted: True or False")
        self.trainable = trainable
        self.activity_regularizer = for_training(activity_regularizer, "activity_regularizer", self._who)
        self._dtype = dtype_name(dtype, self._who)
        self.built = not self._needs_shape
        self._given_shape = batch_shape(input_shape, input_dim, batch_input_shape, self._who)
        self._input_shape: Shape | None = None
        self._weights: tuple[NDArray[Any], ...] = ()
        self._ready: Ready | None = None
        self._generation = 0
        self._owners: weakref.WeakSet[Layer] = weakref.WeakSet()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._kept and name in self.__dict__ and self.built:
            raise ArgumentError(f"{self._who}: {name} cannot be set any more; accepted: a new layer")
        super().__setattr__(name, value)

    @classmethod
    def _argument_names(cls) -> list[str]:
        codes = [cls.__init__.__code__, Layer.__init__.__code__]
        return sorted(
            {name for code in codes for name in code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]}
        )

    @property
    def _who(self) -> str:
        return f"{type(self).__name__} {self.name!r}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    # Shapes

    @property
    def dtype(self) -> str:
        """``"float32"`` or ``"float64"``: the dtype of weights and results."""
        return self._dtype

    @property
    def input_shape(self) -> Shape:
        """The shape that the layer or model takes, batch first: ``(None, 5)``.

        Raises
        ------
        NotBuiltError
            While it is not known.
        """
        if self._input_shape is None or not self.built:
            raise NotBuiltError(f"{self._who} has no input shape yet; build it, or call it with an array")
        return self._input_shape

    @property
    def output_shape(self) -> Shape:
        """The shape that the layer gives, batch first: ``(None, 10)``."""
        return self.compute_output_shape(self.input_shape)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape that the layer gives for one that it takes."""
        return as_shape(input_shape, self._who)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for an input of this shape, batch first. A layer that is built keeps its weights.

        Raises
        ------
        ArgumentError
            If it is no shape, or none is given and none is known.
        ShapeError
            If the shape does not fit the layer, or not the weights that it has.
        """
        shape = self._shape_to_build(input_shape, self._given_shape)
        with state_lock():
            specs = self._weight_specs(shape)
            if self.built and self._needs_shape:
                require_shapes(self._weights, specs, self._input_shape, self._who)
                return
            self.compute_output_shape(shape)  # so that what does not fit is found before anything changes
            self._weights = tuple(initial(spec, self.dtype, self._who) for spec in specs)
            self._input_shape, self.built = shape, True
            self._changed()

    def _shape_to_build(self, asked: Any, known: Shape | None) -> Shape:
        shape = known if asked is None else as_shape(asked, self._who)
        if shape is None:
            raise ArgumentError(
                f"{self._who}: build needs an input_shape, batch first; accepted: for example (None, 5)"
            )
        return shape

    def _weight_specs(self, input_shape: Shape) -> tuple[WeightSpec, ...]:
        return ()

    # Weights

    @property
    def weights(self) -> list[NDArray[Any]]:
        """The weights in Keras' order, read-only."""
        return list(self._weights)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """The names of the weights, in the same order: ``("kernel", "bias")``."""
        return tuple(spec.name for spec in self._weight_specs(self.input_shape)) if self._weights else ()

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of the weights in Keras' order: the caller's to change and to set again."""
        return [array.copy() for array in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace all weights at once.

        Parameters
        ----------
        weights : sequence of array_like
            In the order of `get_weights`, in the same shapes. They are copied, and rounded to the layer's dtype, in
            which numbers beyond it are infinities; NaN and infinities are weights like any other.

        Raises
        ------
        NotBuiltError, ShapeError, DTypeError
            If the layer has no shape yet, or the list does not fit. Then nothing has changed.
        """
        new = self._checked_weights(weights)
        with state_lock():
            self._weights = new
            self._changed()

    def _require_list_of_weights(self, weights: Any) -> None:
        if not self.built:
            raise NotBuiltError(
                f"{self._who} has no weights yet; build it, or call it with an array, before set_weights"
            )
        if not isinstance(weights, (list, tuple)):
            raise DTypeError(
                f"{self._who}: the weights are of type {type(weights).__name__}; accepted: a list of arrays"
            )

    def _checked_weights(self, weights: Any) -> tuple[NDArray[Any], ...]:
        self._require_list_of_weights(weights)
        if len(weights) != len(self._weights):
            raise ShapeError(
                f"{self._who}: {len(weights)} weights given; accepted: {len(self._weights)}"
                + (f" ({', '.join(self.weight_names)})" if self._weights else "")
            )
        return tuple(
            checked(array, name, old.shape, self.dtype, self._who)
            for array, name, old in zip(weights, self.weight_names, self._weights, strict=True)
        )

    def count_params(self) -> int:
        """Return how many numbers the weights hold.

        Raises
        ------
        NotBuiltError
            If the layer is not built.
        """
        if not self.built:
            raise NotBuiltError(f"{self._who} cannot count its parameters before it is built; call build(input_shape)")
        return sum(array.size for array in self.weights)

    def _changed(self) -> None:
        """Drop what was made of the weights, here and in every model that has this layer. Needs the lock."""
        self._generation += 1
        self._ready = None
        for owner in list(self._owners):
            owner._changed()

    # Running

    def operations(self) -> tuple[Operation, ...]:
        """Return what the engine is to do; nothing, by default."""
        return ()

    @property
    def activation_text(self) -> str:
        """The name of the layer's activation, for tables; empty where it has none."""
        return ""

    def call(self, x: ArrayLike) -> NDArray[Any]:
        """Return the layer's result, computed by NumPy in the plainest way: for reading and for comparing with.

        Parameters
        ----------
        x : array_like
            (rows, ..., in)

        Returns
        -------
        ndarray
            In the layer's dtype; may differ from ``layer(x)`` by the order in which sums are rounded.
        """
        return self._as_input(x)

    def __call__(self, inputs: ArrayLike, training: bool | None = False, mask: None = None) -> NDArray[Any]:
        """Return the layer's result, computed by the engine.

        Parameters
        ----------
        inputs : array_like
            (rows, ..., in). Any real dtype and layout; lists where they are rectangular. Never modified.
        training : bool
            Only False: refnet does not train.
        mask : None
            Only None: of all layers but Softmax, none has use for a mask.

        Returns
        -------
        ndarray
            A new array in the layer's dtype.

        Raises
        ------
        ArgumentError
            If ``training`` or ``mask`` is anything else.
        DTypeError, ShapeError
            If ``inputs`` cannot be used.
        """
        if training is not False and training is not None:
            self._refuse_training(training)
        if mask is not None:
            raise ArgumentError(f"{self._who}: a mask is given; accepted: None, since only the layer Softmax takes one")
        ready = self._ready
        if ready is None:
            ready = self._make_ready(inputs)
        return ready.run(inputs)

    def _refuse_training(self, training: Any) -> None:
        """Raise ArgumentError unless ``training`` is another form of False."""
        if np.ndim(training):  # as in model(x1, x2)
            found = f"training is of type {type(training).__name__}"
            raise ArgumentError(f"{self._who}: {found}; accepted: False, and one array as input")
        if training:
            raise ArgumentError(f"{self._who}: training={training} given; accepted: False, since refnet does not train")

    def _make_ready(self, x: ArrayLike | None = None) -> Ready:
        """Build if need be, gather the operations, and make the Plan; keep it unless the weights changed meanwhile."""
        with state_lock():
            if not self.built or (self._input_shape is None and x is not None):
                self._build_from(x)
            segments = self._segments()
            generation = self._generation  # looked at last: to gather what changed inside may build it
            accepted, in_dtype = self._accepted_shape(), self._in_dtype()
        ready = make_ready(segments, None if self._takes_any_rank() else accepted, self._who, in_dtype)
        with state_lock():
            if generation == self._generation:
                self._ready = ready
        return ready

    def _build_from(self, x: ArrayLike | None) -> None:
        if x is None:
            raise NotBuiltError(f"{self._who} is not built; call build(input_shape), or call it with an array")
        self.build((None, *as_real_array(x, self._who).shape[1:]))

    def _segments(self) -> list[Segment]:
        return [Segment(self.operations(), self._in_features(), self.dtype)]

    def _in_features(self) -> int | None:
        return None if self._input_shape is None else self._input_shape[-1]

    def _accepted_shape(self) -> Shape | None:
        """Return the shape that is checked when the layer is called; None where every shape will do."""
        return None

    def _takes_any_rank(self) -> bool:
        return True

    def _in_dtype(self) -> str | None:
        """Return the dtype that the input is cut to first, where that is not the layer's own."""
        return None

    @property
    def plan(self) -> Any:
        """What the engine runs: printing it tells the forward pass step by step.

        Raises
        ------
        NotBuiltError
            If the layer is not built.
        """
        return (self._ready or self._make_ready()).plan

    def _build_if_need_be(self, x: ArrayLike) -> None:
        if not self.built:
            with state_lock():
                if not self.built:
                    self._build_from(x)

    def _as_input(self, x: ArrayLike) -> NDArray[Any]:
        self._build_if_need_be(x)
        return as_input(x, self._accepted_shape(), self.dtype, self._who, any_rank=self._takes_any_rank())

    # Config and copies

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make a layer like this one, in the form and with the keys of Keras 3."""
        from refnet.layers.configs import keras_object

        config = {"name": self.name, "trainable": self.trainable, "dtype": dtype_policy(self.dtype)}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = keras_object(self.activity_regularizer, "keras.regularizers")
        return config | self._own_config()

    def _own_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a layer from what `get_config`, here or of Keras, gave.

        Raises
        ------
        ArgumentError
            If the config holds something that the layer does not know, or is none.
        """
        return cls(**as_config(config, cls.__name__))

    def __getstate__(self) -> dict[str, Any]:
        # Plans hold addresses and owners are other objects: both are found again after copying.
        with state_lock():
            return {key: value for key, value in self.__dict__.items() if key not in ("_ready", "_owners")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for array in self._weights:
            frozen(array)  # copies and pickles come back writeable
        self._ready = None
        self._owners = weakref.WeakSet()
