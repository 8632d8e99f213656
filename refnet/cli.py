"""The command ``refnet``: explain an activation, show a model, run it, follow a batch through it.

Exit codes: 0 done, 2 bad use or bad input, said in one sentence.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from refnet.errors import ArgumentError, FileError, RefnetError, did_you_mean, missing
from refnet.files.whole import FULL, opened, require_writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refnet.activations import Activation
    from refnet.models.sequential import Sequential

__all__ = ["EXPECTED", "Parser", "complaint", "lenient", "let_go", "load_array", "load_model", "main", "silence"]

#: What a command line says in one sentence; of an OSError only that there is no room (see `complaint`).
EXPECTED = (RefnetError, ModuleNotFoundError, MemoryError, OSError)

COMMANDS = ("explain", "predict", "summary", "trace", "warmup")
MODEL_HELP = "module:function that returns a refnet model, or module:variable that is one"


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise what `main` prints, here and in bench, instead of a usage and an exit."""
        raise ArgumentError(f"{message} (`{self.prog} --help` lists what is accepted)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``refnet``; those of the process unless given.

    Examples
    --------
    >>> main(["--version"])
    refnet 0.1.0
    0
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    lenient()
    try:
        if words and not words[0].startswith("-") and words[0] not in COMMANDS:
            hint = did_you_mean(words[0], COMMANDS)
            raise ArgumentError(f"command {words[0]!r} unknown{hint}; accepted: {', '.join(COMMANDS)}")
        options = _parser().parse_args(words)
        options.command(options)
        print(end="", flush=True)  # also where there is no standard output
    except KeyboardInterrupt:
        let_go(arguments)
        print("refnet: stopped", file=sys.stderr)
        return 130
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):  # rich's way to say the same
            raise
    except BrokenPipeError:  # the reader, such as head, has seen enough
        silence()
    except EXPECTED as error:
        print(f"refnet: {complaint(error)}", file=sys.stderr)
        return 2
    return 0


def complaint(error: Exception) -> str:
    """Return the sentence for an error of `EXPECTED`, here, in parity and in bench; raise one that is a bug again."""
    if isinstance(error, RefnetError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return missing(error)
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error}); accepted: a smaller input"
    if not isinstance(error, OSError) or error.errno not in FULL:
        raise error
    silence()
    return f"no more can be written ({error.strerror})"


def lenient() -> None:
    """Let standard output write ? for a letter that its encoding lacks, as where LANG is C; else Python stops there."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="replace")


def let_go(arguments: Sequence[str] | None) -> None:
    """Let a second Ctrl-C end the process at once, if it is a command's own: at its end Python waits for a compiler."""
    if arguments is None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def silence() -> None:
    """Let what is left of standard output go nowhere; Python would try to write it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> Parser:
    parser = Parser("refnet", description="A reference for Keras dense networks.")
    parser.add_argument("--version", dest="command", action="store_const", const=_version, help="print the version")
    parser.set_defaults(command=_no_command)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)

    def command(name: str, function: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    explain = command("explain", _explain, "what an activation is: formula, derivative, edge values, plot")
    explain.add_argument("name", nargs="?", metavar="NAME", help="an activation; all are listed if none is given")
    explain.add_argument("parameters", nargs="*", metavar="KEY=VALUE", help="its parameters: negative_slope=0.1")
    explain.add_argument("--png", metavar="FILE", type=Path, help="write the plot there instead of drawing it here")

    summary = command("summary", _summary, "a model's layers, shapes, parameters and activations")
    summary.add_argument("model", metavar="MODEL", help=MODEL_HELP)

    predict = command("predict", _predict, "run a model on a .npy file")
    predict.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    predict.add_argument("--input", metavar="X.npy", type=Path, required=True, help="the batch, (rows, features)")
    predict.add_argument("--output", metavar="Y.npy", type=Path, required=True, help="where the result goes")

    trace = command("trace", _trace, "follow a batch through a model, layer by layer")
    trace.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    trace.add_argument("--input", metavar="X.npy", type=Path, help="the batch; random rows unless given")
    trace.add_argument("--rows", metavar="N", type=int, default=3, help="random rows (default: 3)")
    trace.add_argument("--seed", metavar="N", type=int, default=0, help="seed of the random rows (default: 0)")

    command("warmup", _warmup, "compile all kernels for this machine now, into the cache on disk")
    return parser


def load_model(name: str) -> Sequential:
    """Return the model that ``module:function`` or ``module:variable`` names.

    Modules are looked for as Python does, and in the current folder.

    Raises
    ------
    ArgumentError
        If there is no such module or name, if the function fails, or if what comes out is no refnet model.
    """
    from refnet import Sequential

    if name.endswith((".keras", ".h5", ".hdf5")):
        raise ArgumentError(
            f"MODEL {name!r} is a Keras file, which refnet does not read yet; accepted: module:function; "
            f"`parity check {name}` reads it through Keras"
        )
    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        raise ArgumentError(f"MODEL {name!r} is not accepted; accepted: module:function or module:variable")
    try:
        with _current_folder_first():
            module = importlib.import_module(module_name)
            if not hasattr(module, attribute):
                names = [key for key in vars(module) if not key.startswith("_")]
                hint = did_you_mean(attribute, names)
                raise ArgumentError(f"MODEL {name!r}: module {module_name!r} has no {attribute!r}{hint}")
            found = getattr(module, attribute)
            model = found() if callable(found) and not isinstance(found, Sequential) else found
    except RefnetError:
        raise
    except (Exception, SystemExit) as error:  # a user's module may raise anything, or leave
        raise ArgumentError(f"MODEL {name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(model, Sequential):
        keras = type(model).__module__.partition(".")[0] == "keras"
        kind = f"{'Keras ' if keras else ''}{type(model).__name__}"
        hint = f"; `parity check {name}` takes Keras models" if keras else ""
        raise ArgumentError(f"MODEL {name!r} gives an object of type {kind}; accepted: a refnet.Sequential{hint}")
    return model


def load_array(path: Path) -> NDArray[Any]:
    """Return the array in a .npy file.

    Raises
    ------
    FileError
        If the file is missing, is no .npy file, is cut short, or holds Python objects.
    """
    import numpy as np

    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); accepted: a .npy file") from error
    except (ValueError, EOFError, TypeError) as error:
        raise FileError(f"{path}: not a whole .npy file of numbers ({error})") from error
    return np.asarray(array)


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _version(options: argparse.Namespace) -> None:
    import refnet

    print(f"refnet {refnet.__version__}")


def _no_command(options: argparse.Namespace) -> None:
    raise ArgumentError(f"no command given; accepted: {', '.join(COMMANDS)}; `refnet --help` says what they do")


def _explain(options: argparse.Namespace) -> None:
    from refnet import activations

    if options.name is None:
        _list_activations()
        return
    activation = activations.get(options.name)
    if options.parameters:
        activation = activation.with_parameters(**dict(map(_key_value, options.parameters)))
    if options.png is not None:
        _draw(activation, options.png)
        print(f"wrote {options.png}")
        return
    _page(activation)


def _key_value(word: str) -> tuple[str, Any]:
    key, equals, text = word.partition("=")
    named = {"true": True, "false": False, "none": None}
    with contextlib.suppress(ValueError):
        if equals:
            return key, named[text.lower()] if text.lower() in named else float(text)
    raise ArgumentError(f"{word!r} is not accepted; accepted: KEY=VALUE, where VALUE is a number, true, false or none")


def _list_activations() -> None:
    from rich.table import Table

    from refnet import activations

    table = Table("name", "formula", "also called")
    for name in activations.names():
        entry = activations.get(name)
        table.add_row(name, entry.text, ", ".join(entry.aliases))
    _console().print(table)


def _page(activation: Activation) -> None:
    from rich.columns import Columns
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text

    from refnet import explain

    console = _console()
    if not activation.required:  # what may fail comes before the page begins
        edges, (x, drawn) = explain.edge_values(activation), explain.curves(activation)

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style))

    say(f"{activation.name}(x) = {activation.text}", "bold")
    if activation.aliases:
        say(f"also called {', '.join(activation.aliases)}")
    say(f"\n{explain.prose(activation)}\n")
    for key, value in activation.parameters.items():
        say(f"parameter   {key} = {'to be given' if value != value else value}")
    say(f"derivative  {explain.derivative_text(activation)}")
    say(f"source      {activation.source}")
    say(f"code        {explain.location(activation)}\n")
    code = Syntax(explain.code(activation), "python", background_color="default", word_wrap=True)
    console.print(code if console.is_terminal else Text(explain.code(activation)), soft_wrap=not console.is_terminal)
    if activation.required:
        say(f"\nedge values and plot: give {' and '.join(f'{key}=VALUE' for key in activation.required)}")
        return
    elementwise = activation.kind == "elementwise"
    table = Table(*(("x", "value", "slope") if elementwise else ("row", "result")))
    for row in edges:
        table.add_row(*(row if elementwise else row[:2]))
    console.print(table)
    if not console.encoding.startswith("utf"):
        say("plot        needs an output in UTF-8; --png FILE draws it into a file")
        return
    console.print(Columns([Text(f"{label}\n{explain.plot(x, y)}\n") for label, y in drawn.items()], padding=(0, 2)))


def _draw(activation: Activation, path: Path) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ArgumentError("--png needs matplotlib, which is not installed: pip install matplotlib") from error
    from refnet import explain

    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="x", title=f"{activation.name}(x) = {activation.text}")
    x, drawn = explain.curves(activation)
    for (label, y), line in zip(drawn.items(), ("-", "--"), strict=False):
        axes.plot(x, y, line, label=label)
    axes.grid(alpha=0.3)
    axes.legend()
    with opened(path) as file:
        figure.savefig(file, format="png", dpi=120)


def _summary(options: argparse.Namespace) -> None:
    load_model(options.model).summary()


def _predict(options: argparse.Namespace) -> None:
    import numpy as np

    require_writable(options.output)
    model = load_model(options.model)
    y = model.predict(load_array(options.input), verbose=0)
    with opened(options.output) as file:
        # To a file NumPy writes past Python, and of a full disk says how many bytes are missing, but not why.
        np.save(SimpleNamespace(write=file.write), y)
    print(f"wrote {options.output}: {y.shape} {y.dtype}")


def _trace(options: argparse.Namespace) -> None:
    import numpy as np

    import refnet

    model = load_model(options.model)
    if options.input is not None:
        x = load_array(options.input)
    elif options.rows < 0:
        raise ArgumentError(f"--rows {options.rows} is not accepted; accepted: 0 or more")
    else:
        shape = (options.rows, *(size or 1 for size in model.input_shape[1:]))
        x = np.random.default_rng(options.seed).standard_normal(shape).astype(np.float32)
    _console().print(refnet.trace(model, x))


def _warmup(options: argparse.Namespace) -> None:
    from refnet.engine import warmup
    from refnet.engine.objects import cache_folder, compile_count, unkept

    console = _console()
    with console.status("compiling") as status:
        count = 0
        for name in warmup():
            if unkept():
                raise FileError(f"warmup: what is compiled cannot be kept: {unkept()[-1]}")
            count += 1
            status.update(f"compiling: {name}")
    console.print(f"{count} compiled functions are ready, {compile_count()} of them new, in {cache_folder()}")
