"""Things that can run one activation over one array: what `parity sweep` judges."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.report import environment
from parity.runners import keras_activations, keras_setup
from parity.ulp import FORMATS
from refnet.activations import Activation
from refnet.errors import ArgumentError, DTypeError, RefnetError, ShapeError, UnsupportedError, did_you_mean

__all__ = ["NAMES", "ActivationRunner", "LacksError", "RunnerError", "get"]

Call = Callable[[Activation, NDArray[Any]], NDArray[Any]]


class LacksError(UnsupportedError):
    """A runner has no such activation, or not with these parameters."""


class RunnerError(RefnetError, RuntimeError):
    """What a runner runs, a library or the user's own function, raised an error."""


@dataclasses.dataclass(frozen=True)
class ActivationRunner:
    """Something that computes activations.

    Attributes
    ----------
    name : str
        What the user typed.
    versions : mapping
        Versions of what takes part.
    call : callable
        ``call(activation, x)`` returns an array of x's shape and dtype; glu halves the last axis.
    refuses : tuple of str
        The formats that it cannot compute in.
    """

    name: str
    versions: Mapping[str, str]
    call: Call
    refuses: tuple[str, ...] = ()

    def require(self, dtype: str) -> None:
        """Raise a DTypeError if the runner cannot compute in a format."""
        if dtype in self.refuses:
            raise DTypeError(
                f"runner {self.name!r}: Keras computes {dtype} in float32 there; accepted: another runner, or"
                f" {', '.join(name for name in FORMATS if name not in self.refuses)}"
            )

    def __call__(self, activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
        """Return the activation of ``x``, whose rows lie along its last axis.

        Raises
        ------
        LacksError
            If the runner does not have this activation.
        ShapeError, DTypeError
            If it returns another shape or dtype than it was given, or cannot compute in the dtype.
        RunnerError
            If it fails.
        """
        self.require(x.dtype.name)
        try:
            with np.errstate(all="ignore"):  # a sweep passes everything, signalling NaNs and overflows too
                y = np.asarray(self.call(activation, x))
        except RefnetError:
            raise
        except (Exception, SystemExit) as error:  # whatever a function of the user's raises, and if it leaves
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise RunnerError(
                f"runner {self.name!r}: activation {activation.name!r} over {x.size:,} {x.dtype} inputs failed"
                f" ({reason}); accepted: a function of one array that returns one like it"
            ) from error
        expected = (*x.shape[:-1], x.shape[-1] // 2) if activation.kind == "gated" else x.shape
        if y.shape != expected:
            accepted = "the same shape" if expected == x.shape else f"{expected}"
            raise ShapeError(f"runner {self.name!r}: shape {y.shape} came back for {x.shape}; accepted: {accepted}")
        if y.dtype != x.dtype:
            raise DTypeError(f"runner {self.name!r}: dtype {y.dtype} came back for {x.dtype}; accepted: the same dtype")
        return y


def _refnet(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    return activation(x)


def _numpy(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    return activation.numpy(x)


def _numpy_plain(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    """Run the formula in x's own dtype throughout: what one would write without a thought for rounding."""
    with np.errstate(all="ignore"):
        if activation.kind != "elementwise":
            raise LacksError(f"activation {activation.name!r}: numpy-plain takes single numbers; accepted: numpy")
        y = activation.formula(x, **{key: x.dtype.type(each) for key, each in activation.parameters.items()})
        return np.broadcast_to(y, x.shape).astype(x.dtype)


def _keras(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    try:
        return keras_activations.call(activation, x)
    except AttributeError as error:
        raise LacksError(f"activation {activation.name!r}: this Keras does not have it ({error})") from error


def _keras_fused(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    if activation.kind != "elementwise":
        raise LacksError(
            f"activation {activation.name!r}: keras-predict takes single numbers; accepted: keras, keras-xla"
        )
    # The product with the unit matrix mixes neighbours, and 0 * inf is NaN: infinities cannot go through it.
    finite = np.isfinite(x)
    y = keras_activations.fused(activation, np.where(finite, x, x.dtype.type(0)))
    return np.where(finite, y, activation.numpy(x))


def _keras_xla(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    return keras_activations.xla(activation, x)


def _torch(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    torch = importlib.import_module("torch")
    if activation.name == "linear":
        raise LacksError("activation 'linear': torch.nn.functional.linear is the matrix product, not the identity")
    return np.asarray(_peer(torch.nn.functional, activation, "torch.nn.functional")(torch.from_numpy(x)).numpy())


def _jax(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return np.asarray(_peer(jax.nn, activation, "jax.nn")(jax.numpy.asarray(x)))


def _peer(module: Any, activation: Activation, where: str) -> Callable[[Any], Any]:
    """Return the function of the same name or alias, underscores or not, with the book's parameters.

    Defaults differ (leaky_relu, gelu), so that every parameter is given that the signature names. A function without
    a signature, or without the parameter, has the book's default.
    """
    names = (activation.name, *activation.aliases)
    spellings = (*names, *(name.replace("_", "") for name in names))
    function = next((each for name in spellings if callable(each := getattr(module, name, None))), None)
    if function is None:
        raise LacksError(f"activation {activation.name!r}: {where} has none of that name")
    accepted = _accepted(function)
    given: dict[str, Any] = {key: each for key, each in activation.parameters.items() if key in accepted}
    if activation.kind != "elementwise" and "dim" in accepted:
        given["dim"] = -1  # PyTorch's softmax would guess
    changed = {key: each for key, each in activation.parameters.items() if each != activation.defaults[key]}
    if not changed.keys() <= given.keys():
        raise LacksError(f"activation {activation.name!r} with {changed}: {where} does not take these parameters")
    return (lambda x: function(x, **given)) if given else function


def _accepted(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the parameters that a signature names; none if there is no signature, as of builtin functions."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


@dataclasses.dataclass(frozen=True)
class _Known:
    call: Call
    packages: tuple[str, ...]
    backend: str | None = None
    refuses: tuple[str, ...] = ()


#: The runners that have a name; anything else is ``module:function``.
NAMES: dict[str, _Known] = {
    "refnet": _Known(_refnet, ("numba", "llvmlite")),
    "numpy": _Known(_numpy, ()),
    "numpy-plain": _Known(_numpy_plain, ()),
    "keras": _Known(_keras, ("keras", "tensorflow"), "tensorflow"),
    "keras-xla": _Known(_keras_xla, ("keras", "tensorflow"), "tensorflow"),
    "keras-predict": _Known(_keras_fused, ("keras", "tensorflow"), "tensorflow"),
    # This backend takes its Fourier transforms from that of jax, which brings scipy, and erf from scipy.
    "keras-numpy": _Known(_keras, ("keras", "jax", "scipy"), "numpy", ("float64",)),
    "keras-jax": _Known(_keras, ("keras", "jax"), "jax", ("float64",)),
    "keras-torch": _Known(_keras, ("keras", "torch"), "torch"),
    "torch": _Known(_torch, ("torch",)),
    "jax": _Known(_jax, ("jax",)),
}


def get(name: str) -> ActivationRunner:
    """Return the runner called ``name``, or the user's own function ``module:function``.

    A function of one's own takes an array and returns one of the same shape and dtype; the module is looked
    for in the working directory too.

    Raises
    ------
    ArgumentError
        If there is no such runner, module or function.
    UnsupportedError
        If a package that it needs is not installed, or Keras runs on another backend already.

    Examples
    --------
    >>> get("numpy").name
    'numpy'
    """
    if ":" in name:
        return _own(name)
    if name not in NAMES:
        raise ArgumentError(
            f"runner {name!r} unknown; accepted: {', '.join(NAMES)}, or module:function{did_you_mean(name, NAMES)}"
        )
    known = NAMES[name]
    for package in known.packages:
        if package not in ("numba", "llvmlite") and importlib.util.find_spec(package) is None:
            raise UnsupportedError(f"runner {name!r}: {package} is not installed; install it and try again")
    if known.backend:
        _load_keras(name, known.backend)
    return ActivationRunner(name, environment.versions_of(("numpy", *known.packages)), known.call, known.refuses)


def _load_keras(name: str, backend: str) -> None:
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    found = keras_setup.load().backend.backend()
    if found != backend:
        raise UnsupportedError(
            f"runner {name!r}: Keras runs on {found} in this process already; run the sweep in a process of its own"
        )


def _own(name: str) -> ActivationRunner:
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever the user's module raises, and if it leaves
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ArgumentError(f"runner {name!r}: module {module_name!r} cannot be imported ({reason})") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ArgumentError(
            f"runner {name!r}: {module_name!r} has no function {function_name!r}; accepted: module:function"
        )
    return ActivationRunner(name, environment.versions_of(("numpy",)), lambda activation, x: function(x))
