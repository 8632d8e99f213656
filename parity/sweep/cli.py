"""``parity sweep`` on the command line. Exit code 0: all right, 1: something is wrong, 2: bad use or bad input."""

from __future__ import annotations

import argparse
import ast
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar, TaskID

from parity.cli import Parser
from parity.runners import activations as runners
from parity.sweep import checkpoint, report, results, subject
from parity.sweep.run import SAMPLES, Result, Where, sweep, task_for
from parity.ulp import FORMATS
from refnet import activations
from refnet.activations import Activation
from refnet.errors import ArgumentError, did_you_mean
from refnet.files.whole import require_writable

__all__ = ["add_arguments", "main", "run"]

_TEXT = "Hold activations against their true values, input by input; every verdict is proved with mpmath."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of ``parity sweep``."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="an activation, as gelu or 'leaky_relu(negative_slope=0.3)'")
    add("--all", action="store_true", help="every activation of the book")
    add("--dtype", choices=tuple(FORMATS), default="float32", help="format of inputs and results (default float32)")
    add(
        "--runner",
        default="refnet",
        metavar="RUNNER",
        help=f"who computes: {', '.join(runners.NAMES)}, or module:function (default refnet)",
    )
    add(
        "--exhaustive",
        action="store_true",
        help="all 2**32 inputs; float16 and bfloat16 always are, rows never",
    )
    add(
        "--samples",
        type=int,
        default=SAMPLES,
        metavar="N",
        help=f"2**N inputs or entries otherwise (default {SAMPLES})",
    )
    add("--seed", type=int, default=0, help="seed of the samples and rows (default 0)")
    add("--jobs", type=int, default=1, metavar="N", help="processes, of one thread each (default 1)")
    add("--scheduler", metavar="ADDRESS", help="run the chunks on a dask.distributed cluster, as tcp://host:8786")
    add("--resume", action="store_true", help="go on with an exhaustive sweep that was interrupted")
    add(
        "--checkpoints",
        type=Path,
        default=Path(".parity-sweep"),
        metavar="FOLDER",
        help="where an exhaustive sweep keeps what it has done (default .parity-sweep)",
    )
    add("--json", type=Path, metavar="FILE", help="put the results into FILE, beside those of other functions, runners")
    add("--max-ulp", type=float, metavar="U", help="pass up to U ulp (default: correct rounding; float64, rows: 1)")
    add("--details", action="store_true", help="classes, histogram and examples of each function")


def main(arguments: Sequence[str]) -> int:
    """Run ``parity sweep`` with these arguments and return its exit code.

    Raises
    ------
    RefnetError
        With one sentence, for the caller to print.
    SystemExit
        After one sentence on what is wrong with the arguments.
    """
    parser = Parser(prog="parity sweep", description=_TEXT)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Sweep what the parsed options ask for and return the exit code."""
    _check(options)
    chosen = _chosen(options.names, options.all)
    runner = runners.get(options.runner)  # what is missing is said before anything is computed
    runner.require(options.dtype)
    for activation in chosen:
        subject.of(activation.name).require(activation, options.dtype, _exhaustive(options, activation))
    if options.json:
        results.read(options.json)
    console = report.console()
    found, lacking = _all(options, chosen, console)
    if not found:
        raise runners.LacksError(f"runner {runner.name!r} has none of the activations; accepted: one that has some")
    if options.exhaustive:
        _tidy(options.checkpoints, found)
    console.print(report.summary(found), highlight=False)
    for result in found:
        for text in report.violations(result):
            console.print(text, highlight=False, markup=False)
    if lacking:
        console.print(f"skipped, as {runner.name} does not have them: {', '.join(lacking)}", soft_wrap=True)
    lines, passed = report.verdicts(found, options.max_ulp)
    for text in lines:
        console.print(text)
    return 0 if passed else 1


def _check(options: argparse.Namespace) -> None:
    if options.jobs < 1:
        raise ArgumentError(f"--jobs {options.jobs} is not accepted; accepted: 1 or more")
    if options.scheduler == "":
        raise ArgumentError("--scheduler '' is not accepted; accepted: an address, as tcp://host:8786")
    if options.scheduler and options.jobs != 1:
        raise ArgumentError("--jobs and --scheduler exclude each other; a cluster has its own workers")
    if not 10 <= options.samples <= 28:
        raise ArgumentError(f"--samples {options.samples} is not accepted; accepted: 10 to 28 (2**10 to 2**28 inputs)")
    if options.max_ulp is not None and not options.max_ulp >= 0.0:
        raise ArgumentError(f"--max-ulp {options.max_ulp} is not accepted; accepted: a number from 0 up")
    if options.seed < 0:
        raise ArgumentError(f"--seed {options.seed} is not accepted; accepted: 0 or more")
    if options.json:
        require_writable(options.json)
    if _keeps(options):
        require_writable(options.checkpoints / "checkpoint", folders=True)


def _keeps(options: argparse.Namespace) -> bool:
    """Tell whether sweeps keep what is done, to be resumed."""
    return bool(options.exhaustive and options.dtype == "float32")


def _exhaustive(options: argparse.Namespace, activation: Activation) -> bool:
    """Tell whether all inputs of an activation are asked for: of all activations, those that have an end of them."""
    return bool(options.exhaustive and (subject.of(activation.name).EXHAUSTIBLE or not options.all))


def _chosen(names: Sequence[str], everything: bool) -> list[Activation]:
    if everything:
        if names:
            raise ArgumentError(f"--all and {names[0]!r} exclude each other")
        return [activations.REGISTRY[name] for name in activations.names()]
    if not names:
        raise ArgumentError("sweep needs the name of an activation, or --all")
    return [parse_name(name) for name in names]


def parse_name(text: str) -> Activation:
    """Return the activation that ``name`` or ``name(parameter=value, ...)`` stands for.

    Raises
    ------
    ArgumentError
        If there is none, or a parameter does not fit.

    Examples
    --------
    >>> parse_name("leaky_relu(negative_slope=0.3)").parameters
    {'negative_slope': 0.3}
    """
    name, bracket, _ = text.partition("(")
    if name not in activations.REGISTRY:
        raise ArgumentError(f"activation {name!r} unknown{did_you_mean(name, activations.REGISTRY)}")
    activation = activations.REGISTRY[name]
    if not bracket:
        return activation
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError
        values: list[Any] = [ast.literal_eval(each) for each in call.args]
        named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        if len(named) < len(call.keywords) or None in [each.arg for each in call.keywords]:
            raise ValueError
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two where it is nested too deep
        raise ArgumentError(f"activation {text!r} cannot be read; accepted: name(parameter=value, ...)") from error
    return activation.with_parameters(*values, **named)


def _all(options: argparse.Namespace, chosen: list[Activation], console: Console) -> tuple[list[Result], list[str]]:
    """Return the results, and the names that the runner does not have; show the details as they come."""
    found: list[Result] = []
    lacking: list[str] = []
    errors = report.console(stderr=True)
    for activation in chosen:
        try:
            result = _one(options, activation, errors)
        except runners.LacksError:
            if not options.all:
                raise
            lacking.append(activation.name)
            continue
        found.append(result)
        if options.details or len(chosen) == 1:
            console.print(f"[bold]{result.task.title}[/bold]  {options.dtype}, {result.task.runner}")
            for part in report.details(result):
                console.print(part, highlight=False)
    return found, lacking


def _one(options: argparse.Namespace, activation: Activation, errors: Console) -> Result:
    exhaustive = _exhaustive(options, activation)
    with _showing(errors) as (shown, line):
        shown.update(line, description=f"{activation.name}: preparing")
        task = task_for(activation, options.dtype, options.runner, exhaustive, options.seed, options.samples)
        kept = options.checkpoints if exhaustive and _keeps(options) else None
        where = Where(options.jobs, options.scheduler, kept, options.resume)
        shown.update(line, description=task.title)

        def tell(progress: checkpoint.Progress, chunks: int) -> None:
            count = progress.tally.count
            total = count * chunks / len(progress.done) if progress.done else None
            shown.update(line, completed=count, total=2.0**32 if kept else total)

        result = sweep(task, where, tell)
    if options.json:
        results.merge(options.json, [result.plain()])
    return result


def _tidy(folder: Path, found: Sequence[Result]) -> None:
    """Remove the checkpoints, once all functions are done: until then each one saves its function's sweep."""
    for each in found:
        checkpoint.path_of(folder, each.task).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()  # unless another sweep keeps something there


@contextlib.contextmanager
def _showing(console: Console) -> Iterator[tuple[Bar, TaskID]]:
    with report.bar(console) as shown:
        yield shown, shown.add_task("", total=None)
