"""``parity`` on the command line. Exit code 0: agree, 1: differ, 2: bad use or bad input."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from parity import bridge, inputs, loading, tutorial
from parity.check import check
from refnet.cli import EXPECTED, complaint, lenient, let_go, silence
from refnet.errors import ArgumentError, UnsupportedError
from refnet.files.whole import require_writable

__all__ = ["Parser", "main"]

#: Subcommands that have a command line of their own, and where it lives.
_ELSEWHERE = {"sweep": "parity.sweep.cli"}


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave with exit code 2."""
        print(f"{self.prog}: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; `sys.argv` by default.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    lenient()
    try:
        if given and given[0] in _ELSEWHERE:
            _require("mpmath", f"parity {given[0]}")
            return int(importlib.import_module(_ELSEWHERE[given[0]]).main(given[1:]))
        options = _parser().parse_args(given)
        return int(options.run(options))
    except SystemExit as stop:  # argparse ends so, after --help too
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(f"parity: {stop.code}", file=sys.stderr)  # Python takes a text for the reason of a failure
        return 2
    except KeyboardInterrupt:
        let_go(arguments)
        print("parity: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader went away: nothing more to say
        silence()
        return 0
    except EXPECTED as error:
        print(f"parity: {complaint(error)}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="parity", description="Hold refnet and Keras against each other.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    check = commands.add_parser(
        "check",
        help="compare a Keras model with its twin in refnet, layer by layer",
        description="Compare a Keras model with its twin in refnet, layer by layer."
        " Exit code 0: agree, 1: differ, 2: bad use or bad input.",
    )
    check.add_argument("model", metavar="MODEL", help="a .keras or .h5 file, or module:function that returns a model")
    check.add_argument(
        "--input", default="normal", help="normal (default), uniform, special, nonfinite, or a .npy or .npz file"
    )
    check.add_argument("--batch", type=int, default=32, help="rows of a random input (default 32)")
    check.add_argument("--seed", type=int, default=0, help="seed of a random input (default 0)")
    check.add_argument("--dtype", choices=("float32", "float64"), help="compare the model in this dtype")
    check.add_argument(
        "--through",
        default="call,predict",
        metavar="RUNNERS",
        help="ways to run the model, by commas: call, predict (both by default), predict_on_batch, tf-function, xla;"
        " also numpy, refnet",
    )
    _add_outputs(check)
    check.set_defaults(run=_check)
    tutorial = commands.add_parser(
        "main", help="compare the tutorial's model", description="Compare the tutorial's model."
    )
    _add_outputs(tutorial)
    tutorial.set_defaults(run=_tutorial)
    commands.add_parser("sweep", help="measure activations over all their inputs", add_help=False)
    return parser


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    parser.add_argument("--html", metavar="FILE", help="write the report as one HTML page")


def _check(options: argparse.Namespace) -> int:
    _require_writable(options)
    x: Any = options.input if options.input in inputs.KINDS else Path(options.input)
    if isinstance(x, Path) and not x.suffix:
        inputs.make(options.input, (0, 0))  # neither a kind nor a file: says which kinds there are
    if isinstance(x, Path):
        inputs.from_file(x)  # before Keras takes its seconds to load
    model = loading.load(options.model)
    if options.dtype:
        model = bridge.in_dtype(bridge.from_keras(model), options.dtype)
    through = [name.strip() for name in options.through.split(",") if name.strip()]
    if not through:
        raise ArgumentError("--through names no runner; accepted: for example call,predict")
    report = check(model, x, batch=options.batch, seed=options.seed, through=through)
    if report.input_shape[0] == 0:
        raise ArgumentError("the input has no rows, so there is nothing to compare; accepted: one row or more")
    return _show(report, options)


def _tutorial(options: argparse.Namespace) -> int:
    _require_writable(options)
    return _show(tutorial.report(), options)


def _require_writable(options: argparse.Namespace) -> None:
    for path in (options.json, options.html):
        if path is not None:
            require_writable(path)
    _require("rich", "the report")
    if options.html is not None:
        _require("jinja2", "--html")


def _require(package: str, who: str) -> None:
    """Refuse what needs a package of an extra that is not installed, before anything is computed."""
    if importlib.util.find_spec(package) is None:
        raise UnsupportedError(f"{who} needs {package}, which is not installed: pip install 'refnet[keras]'")


def _show(report: Any, options: argparse.Namespace) -> int:
    from rich.console import Console

    # A reader that leaves early, such as head, must not change the verdict; rich ends the program in that case.
    with contextlib.suppress(BrokenPipeError, SystemExit):
        Console(highlight=False).print(report)
    if options.json is not None:
        report.to_json(options.json)
    if options.html is not None:
        report.to_html(options.html)
    return int(report.exit_code)
