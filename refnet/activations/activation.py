"""The Activation record, its registry, and the decorator that puts a block into the book."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet import elementary
from refnet.activations.parameters import Parameter, as_written, bind, checked
from refnet.activations.reading import as_floating, diagonals, halves, itself, narrow, row_shares, row_terms
from refnet.errors import ArgumentError, ShapeError
from refnet.forking import CODE

__all__ = ["REGISTRY", "Activation", "activation"]

Kind = Literal["elementwise", "rowwise", "gated", "array"]

#: Every name and alias of the book, in the order of the book. Filled by `activation`.
REGISTRY: dict[str, Activation] = {}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Activation:
    """One activation of the book: a callable with a name, a formula and a help page.

    Attributes
    ----------
    name : str
        Keras' name.
    formula : callable
        The body of the block, ``formula(x, **parameters)``: array code in the words of
        `refnet.elementary`. NumPy runs it as it is; the engine compiles it for vectors.
    text : str
        The formula in one line of plain text.
    exact : callable
        ``exact(m, x, **parameters)``: the textbook meaning for one finite number ``x``, where ``m`` is `mpmath` or
        one of its contexts. Written independently of `formula`. All kinds but elementwise take and return a list.
    derivative : callable
        ``derivative(m, x, **parameters)``, where ``m`` is `mpmath` or `refnet.elementary`; at a kink, the value
        that Keras' gradient has. Of a row it is a matrix. Gated: ``derivative(m, a, b)``, along a and along b. Rowwise:
        ``derivative(m, i, j, p_i, p_j, others_j)``, of result i along entry j, where p is softmax of the row and others
        is 1 - p without its cancellation (see `row_shares`). Array: ``derivative(m, x)``, the matrices of all rows.
    kind : {"elementwise", "rowwise", "gated", "array"}
        ``elementwise``: one number in, one out. ``rowwise``: a vector along `axis`, whose formula
        is ``formula(x, highest, term, share)`` (see `refnet.activations.rowwise`). ``gated``: ``formula(a, b)``, one
        number from each half of the axis, which becomes half as long. ``array``: the formula takes the whole array
        with its last axis, and only NumPy reads it (sparsemax has a kernel of its own).
    kinks : tuple of float
        Where the derivative jumps.
    limits : mapping
        The values at ``-inf`` and ``inf``.
    negative_zero : float
        The value at -0.0 (bitwise).
    aliases : tuple of str
        Keras' other names for it.
    parameters : mapping
        Values of the parameters after ``x``. ``None`` from a Keras signature stands as ``inf``; one that must
        be given and is not yet, as ``nan`` (see `required`).
    moving : mapping
        For each of kinks, limits, negative_zero that the parameters move: the function of the parameters.
    flags : mapping
        For each parameter that is a flag: what setting it puts in the place of formula, text, exact, derivative.
    exceptions : mapping
        The float32 inputs, each with its result, whose value lies so near the middle between two float32 that
        float64 puts it on the wrong side; found by ``parity sweep``. They hold for the default parameters.
    of_row : callable
        Rowwise kinds only: from a row's ``rest`` to the ``share`` that the formula takes, once for all its entries;
        unless given, the share is the rest.
    source : str
        Where the formula comes from.
    """

    name: str
    formula: Callable[..., Any]
    text: str
    exact: Callable[..., Any]
    derivative: Callable[..., Any] | None = None
    kind: Kind = "elementwise"
    kinks: tuple[float, ...] = ()
    limits: Mapping[float, float] = dataclasses.field(default_factory=dict)
    negative_zero: float = 0.0
    aliases: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)
    moving: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)
    flags: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    exceptions: Mapping[float, float] = dataclasses.field(default_factory=dict)
    of_row: Callable[[Any], Any] = itself
    source: str = ""

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def _who(self) -> str:
        return f"activation {self.name!r}"

    @property
    def __signature__(self) -> inspect.Signature:
        """Keras' signature: x, the parameters or the axis, and ``out``."""
        keyword, only = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        shown = {key: None if value == math.inf else value for key, value in self.defaults.items()}
        if self.kind != "elementwise":
            shown["axis"] = -1
        return inspect.Signature(
            [
                inspect.Parameter("x", keyword),
                *(
                    inspect.Parameter(key, keyword, default=inspect.Parameter.empty if value != value else value)
                    for key, value in shown.items()
                ),
                inspect.Parameter("out", only, default=None),
            ]
        )

    def __repr__(self) -> str:
        given = "".join(
            f", {as_written(key, value)}"
            for key, value in self.parameters.items()
            if value == value and value != self.defaults[key]
        )
        return f"<activation {self.name}: {self.text}{given}>"

    def __reduce__(self) -> tuple[Callable[..., Activation], tuple[str, dict[str, Parameter]]]:
        return _recall, (self.name, dict(self.parameters))

    @property
    def defaults(self) -> dict[str, Parameter]:
        """The parameters' default values, as the book has them."""
        return dict(REGISTRY[self.name].parameters)

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that have no default and are not given yet."""
        return tuple(key for key, value in self.parameters.items() if value != value)

    @property
    def help(self) -> str:
        """The help page: the block's docstring."""
        return inspect.cleandoc(REGISTRY[self.name].formula.__doc__ or "")

    def with_parameters(self, *args: float | None, **kwargs: float | None) -> Activation:
        """Return this activation with other parameter values, given as in Keras' signature.

        Examples
        --------
        >>> from refnet import activations
        >>> activations.leaky_relu.with_parameters(negative_slope=0.1)([-1.0, 1.0])
        array([-0.1,  1. ], dtype=float32)
        """
        given = bind(self._who, list(self.parameters), args, kwargs)
        new = {key: checked(key, value, self.defaults[key], self._who) for key, value in given.items()}
        values = {**self.parameters, **new}
        block = REGISTRY[self.name]
        changes: dict[str, Any] = {key: getattr(block, key) for key in ("formula", "text", "exact", "derivative")}
        changes["exceptions"] = block.exceptions if values == block.parameters else {}
        for flag, those in self.flags.items():
            if values[flag]:
                changes.update(those)
        if not any(value != value for value in values.values()):
            changes.update({key: function(**values) for key, function in self.moving.items()})
        return dataclasses.replace(self, parameters=values, **changes)

    def __call__(self, x: ArrayLike, *args: Any, out: NDArray[Any] | None = None, **kwargs: Any) -> NDArray[Any]:
        """Return the activation of ``x``, computed by the compiled kernel.

        Parameters
        ----------
        x : array_like
            Real numbers of any shape. Integers, booleans and Python's numbers, also in lists, are read as float32, as
            Keras does; long double as float64.
        *args, **kwargs
            The activation's parameters, as in Keras. For the rowwise activations (softmax and its kin), glu and
            sparsemax: ``axis``, an int or for softmax and log_softmax a tuple of int, -1 unless told.
        out : ndarray, optional
            Where to write the result; same shape and dtype as it. It may be ``x``, or overlap it.

        Returns
        -------
        ndarray
            Same shape as ``x`` (half along ``axis`` for glu), in its dtype.

        Raises
        ------
        DTypeError
            If ``x`` is complex, text, a masked or an object array, or ``out`` is no array of the result's dtype.
        ArgumentError, ShapeError
            If ``x`` is ragged, or a parameter, ``axis`` or ``out`` does not fit.
        """
        if type(x) is np.ndarray and not args and not kwargs:
            door = self._doors.get(x.dtype)
            if door is not None:
                return door(x, out)
        return self._general(x, out, *args, **kwargs)

    def _general(self, x: ArrayLike, out: NDArray[Any] | None, *args: Any, **kwargs: Any) -> NDArray[Any]:
        apply, door = _engine()
        chosen, axis = self, -1
        if args or kwargs:
            names = [*self.parameters, *(("axis",) if self.kind != "elementwise" else ())]
            given = bind(self._who, names, args, kwargs)
            axis = given.pop("axis", -1)
            chosen = self.with_parameters(**given) if given else self
        chosen._complete()
        y: NDArray[Any] = apply(chosen, as_floating(x, self._who), axis, out)
        if type(x) is np.ndarray and not args and not kwargs and x.dtype not in self._doors:
            self._doors[x.dtype] = door(self, x.dtype, self._general)
        return y

    @functools.cached_property
    def _doors(self) -> dict[np.dtype[Any], Callable[..., NDArray[Any]]]:
        """For each dtype met: the function of (x, out) that runs this activation in the least time."""
        return {}

    def _complete(self) -> None:
        if self.required:
            raise ArgumentError(f"{self._who}: {' and '.join(self.required)} must be given")

    def numpy(self, x: ArrayLike) -> NDArray[Any]:
        """Return the NumPy reading: the formula run by NumPy in float64, rounded once to x's dtype.

        Rows of all kinds but elementwise lie along the last axis.
        """
        self._complete()
        x = as_floating(x, self._who)
        if self.kind != "elementwise" and x.ndim == 0:
            raise ShapeError(f"{self._who}: a number on its own has no rows; accepted: 1 dimension or more")
        wide = x.astype(np.float64)
        with np.errstate(all="ignore"):
            if self.kind == "rowwise":
                y = self.formula(wide, *row_terms(wide, self.of_row))
            elif self.kind == "gated":
                y = self.formula(*halves(wide, self._who))
            else:
                y = self.formula(wide, **self.parameters_in(x.dtype))
            return narrow(np.asarray(y, dtype=np.float64), x.dtype)

    def slope(self, x: ArrayLike) -> NDArray[Any]:
        """Return the derivative at ``x``, computed in float64 (in long double if x is float64) and rounded once.

        At an infinity it is the derivative's limit, at a kink the value that Keras' gradient has, unless the block
        says otherwise (relu with a cap). Where long double is no wider than float64, as with Microsoft's compiler,
        float64 slopes far out lose digits or are 0 too early.

        Returns
        -------
        ndarray
            In x's dtype. Elementwise: of x's shape. Other kinds: for rows along the last axis, x of shape (..., n), the
            Jacobian matrix of each, shape (..., m, n) with m results: ``[..., i, j]`` is that of result i along entry
            j. Where a result is NaN, or a limit hangs on which of several infinities is the highest, NaN.

        Raises
        ------
        ArgumentError
            If the block gives no derivative, or a parameter is still to be given.
        DTypeError, ShapeError
            If ``x`` is complex, text or an object array; if it has no rows, or rows that cannot be halved.

        Examples
        --------
        >>> from refnet import activations
        >>> activations.tanh.slope([0.0, 1.0])
        array([1.        , 0.41997433], dtype=float32)
        >>> activations.softmax.slope([0.0, 0.0])
        array([[ 0.25, -0.25],
               [-0.25,  0.25]], dtype=float32)
        """
        self._complete()
        if self.derivative is None:
            raise ArgumentError(f"{self._who}: its block gives no derivative")
        x = as_floating(x, self._who)
        wide: NDArray[Any] = x.astype(np.longdouble if x.dtype == np.float64 else np.float64)
        with np.errstate(all="ignore"):
            if self.kind == "elementwise":
                end = np.cbrt(np.finfo(wide.dtype).max) / 2  # stands for inf: its cube is finite, every limit reached
                y = self.derivative(elementary, np.clip(wide, -end, end), **self.parameters_in(x.dtype))
                return narrow(np.where(np.isnan(wide), np.nan, y), x.dtype)
            senseless = np.isnan(self.numpy(x))[..., None]
            return narrow(np.where(senseless, np.nan, self._matrix(self.derivative, wide)), x.dtype)

    def _matrix(self, derivative: Callable[..., Any], x: NDArray[Any]) -> NDArray[Any]:
        """Return the Jacobian of each row, as the block's derivative says it for its kind."""
        if self.kind == "gated":
            return diagonals(*derivative(elementary, *halves(x, self._who)))
        if self.kind == "rowwise":
            i, (share, others) = np.arange(x.shape[-1]), row_shares(x)
            over = (share[..., :, None], share[..., None, :], others[..., None, :])
            return np.asarray(derivative(elementary, i[:, None], i, *over))
        return np.asarray(derivative(elementary, x))

    def parameters_in(self, dtype: Any) -> dict[str, float]:
        """Return the parameters rounded to ``dtype``, as the formula meets them (Keras rounds them so)."""
        kind = np.dtype(dtype).type
        with np.errstate(over="ignore", under="ignore"):  # one beyond the dtype is inf or 0 there
            return {key: float(kind(value)) for key, value in self.parameters.items()}


@functools.cache
def _engine() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Load the engine, when something is first computed."""
    with CODE:
        from refnet.engine.apply import apply, door

    return apply, door


def _recall(name: str, parameters: dict[str, Parameter]) -> Activation:
    """Find a pickled activation in the book again."""
    given = {key: value for key, value in parameters.items() if value == value}
    block = REGISTRY[name]
    return block if given == {k: v for k, v in block.parameters.items() if v == v} else block.with_parameters(**given)


def activation(text: str, **record: Any) -> Callable[[Callable[..., Any]], Activation]:
    """Put the decorated formula into the book (see `Activation` for the keywords).

    The parameters after ``x`` and their defaults are read from the formula's signature. Of ``kinks``, ``limits`` and
    ``negative_zero``, those that the parameters move are given as functions of the parameters.

    An activation of your own joins the book in the same way, and is then known by its name everywhere: in layers, on
    the command line, in sweeps. Write its body in the words of `refnet.elementary`, so that the engine can compile it.

    Examples
    --------
    >>> from refnet import activations
    >>> from refnet.activations.activation import REGISTRY, activation
    >>> from refnet.elementary import exp
    >>> @activation(
    ...     "exp(-k x^2)",
    ...     exact=lambda m, x, k: m.exp(-k * m.mpf(x) ** 2),
    ...     derivative=lambda m, x, k: -2 * k * x * m.exp(-k * x * x),
    ...     limits={float("-inf"): 0.0, float("inf"): 0.0},
    ...     negative_zero=1.0,
    ... )
    ... def bump(x, k=1.0):
    ...     "A hill around 0."
    ...     return exp(-k * x * x)
    >>> activations.get("bump").numpy([0.0, 1.0])
    array([1.        , 0.36787945], dtype=float32)
    >>> del REGISTRY["bump"]
    """

    def register(formula: Callable[..., Any]) -> Activation:
        name = formula.__name__
        if record.get("kind", "elementwise") not in get_args(Kind):
            raise ArgumentError(
                f"activation {name!r}: kind is {record['kind']!r}; accepted: {', '.join(get_args(Kind))}"
            )
        without = record.get("kind") in ("rowwise", "gated")  # their arguments are no parameters
        given = [] if without else list(inspect.signature(formula).parameters.items())[1:]
        defaults = {key: math.nan if p.default is p.empty else _default(p.default) for key, p in given}
        moving = {key: record[key] for key in ("kinks", "limits", "negative_zero") if callable(record.get(key))}
        still = {key: value for key, value in record.items() if key not in moving}
        entry = Activation(name=name, formula=formula, text=text, parameters=defaults, moving=moving, **still)
        for key in (name, *entry.aliases):
            if key in REGISTRY:
                raise ArgumentError(f"activation {key!r} is in the book already")
        REGISTRY.update(dict.fromkeys((name, *entry.aliases), entry))
        if moving and not entry.required:
            entry = entry.with_parameters()
            REGISTRY.update(dict.fromkeys((name, *entry.aliases), entry))
        return entry

    return register


def _default(value: Parameter) -> Parameter:
    return value if isinstance(value, bool) else float(value)
