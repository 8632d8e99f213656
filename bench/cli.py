"""``python -m bench``: what to measure, how long, and where to write it."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from bench import cases
from bench.environment import cores
from bench.measure import QUICK, Settings
from bench.peers import ACTIVATIONS, DEFAULT, FORWARD, choose, installed
from bench.report import console, show
from bench.results import Record, load, save
from refnet.cli import EXPECTED, Parser, complaint, lenient, let_go, silence
from refnet.errors import ArgumentError, did_you_mean
from refnet.files import whole

__all__ = ["main"]

COMMANDS = ("default", "forward", "profile", "activations", "startup", "main", "show")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done (and agree), 1 differ or interrupted, 2 bad use."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    lenient()
    try:
        chosen = parser().parse_args(_with_command(given))
        for path in (getattr(chosen, "json", None), getattr(chosen, "plot", None)):
            if path is not None:
                whole.require_writable(path, folders=True)
        plot = getattr(chosen, "plot", None)
        if plot is not None and plot.suffix.lower() != ".png":
            raise ArgumentError(f"--plot {str(plot)!r} is not accepted; accepted: a file that ends in .png")
        code = int(chosen.run(chosen, "python -m bench " + shlex.join(given) if given else "python -m bench"))
        print(end="", flush=True)  # also where there is no standard output
        return code
    except KeyboardInterrupt:
        let_go(arguments)
        print("bench: interrupted", file=sys.stderr)  # main may have written its page
        return 1
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):  # rich's way to say what follows
            raise
        return 0
    except BrokenPipeError:  # the reader, such as head, has seen enough
        silence()
        return 0
    except EXPECTED as error:
        print(f"bench: {complaint(error)}", file=sys.stderr)
        return 2


def _with_command(given: list[str]) -> list[str]:
    """Put ``default`` before the options if no command is named."""
    if given and (given[0] in COMMANDS or given[0] in ("-h", "--help")):
        return given
    if given and not given[0].startswith("-"):
        raise ArgumentError(
            f"command {given[0]!r} unknown{did_you_mean(given[0], COMMANDS)}; accepted: {', '.join(COMMANDS)}"
        )
    return ["default", *given]


def parser() -> Parser:
    """Return the command line's parser."""
    top = Parser(prog="python -m bench", description="Measure refnet against its peers, side by side in one run.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    helps = {
        "default": "the everyday run: tutorial, mnist and wide against Keras and NumPy (also without a command)",
        "forward": "the whole grid of forward passes, all peers, 1 and 2 threads",
        "profile": "where refnet's time goes: products and activations, for any cells of the grid",
        "activations": "every activation over 4 Ki, 1 Mi and 16 Mi elements",
        "startup": "new processes: imports, first predictions, and their memory",
        "main": "the tutorial's model: compared with Keras, timed, written to out/parity.html",
        "show": "print or plot a record again",
    }
    made = {name: commands.add_parser(name, help=text, description=text) for name, text in helps.items()}
    for name in ("default", "forward", "activations"):
        _add_measuring(made[name], "all" if name == "default" else "1,2")
    made["profile"].add_argument("--threads", type=_threads, default="1,2", metavar="N,M", help="default 1,2")
    for name in ("default", "forward", "profile"):
        made[name].add_argument(
            "--cases", type=_words, metavar="A,B:ROWS", help=f"case, or case:rows; cases are {', '.join(cases.CASES)}"
        )
    made["activations"].add_argument("--names", type=_words, metavar="A,B", help="names of the book; default all")
    made["activations"].add_argument("--sizes", type=_sizes, metavar="N,M", help="elements; default 4 Ki, 1 Mi, 16 Mi")
    made["startup"].add_argument("--rounds", type=_positive, metavar="N", help="starts of each process (default 5)")
    made["startup"].add_argument("--quick", action="store_true", help="one start of each")
    made["main"].add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the page goes")
    made["show"].add_argument("file", type=Path, metavar="FILE", help="a record written with --json")
    for name in ("default", "forward", "activations", "startup"):
        made[name].add_argument("--json", type=Path, metavar="FILE", help="write the record")
    for name in ("default", "forward", "activations", "startup", "show"):
        made[name].add_argument("--plot", type=Path, metavar="FILE.png", help="write a picture")
    runs = {"startup": _startup, "main": _main_job, "show": _show, "activations": _activations, "profile": _profile}
    for name in COMMANDS:
        made[name].set_defaults(run=runs.get(name, _forward))
    return top


def _add_measuring(command: Parser, threads: str) -> None:
    command.add_argument("--peers", type=_words, metavar="A,B", help="refnet against these; default all of the command")
    command.add_argument("--threads", type=_threads, default=threads, metavar="N,M", help=f"default {threads}")
    command.add_argument(
        "--rounds", type=_positive, metavar="N", help=f"turns of each peer (default {Settings().rounds})"
    )
    command.add_argument("--quick", action="store_true", help="fewer and shorter turns: to see that it works")
    command.add_argument(
        "--python",
        metavar="PATH",
        default=os.environ.get("BENCH_PYTHON"),
        help="a second interpreter, for peers that this one lacks (default: BENCH_PYTHON)",
    )


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; accepted: names with commas between")
    return words


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _sizes(text: str) -> list[int]:
    return [_positive(word) for word in _words(text)]


def _threads(text: str) -> list[int]:
    """Return thread counts; those of the default that the machine has not are left out, a user's are refused."""
    most = len(cores())
    if text == "all":
        return [most]
    numbers = _sizes(text)
    if max(numbers) > most and text != "1,2":
        raise argparse.ArgumentTypeError(f"{max(numbers)} threads, but this process may use {most} cores")
    return list(dict.fromkeys(min(number, most) for number in numbers))


def _settings(chosen: argparse.Namespace) -> Settings:
    base = QUICK if chosen.quick else Settings()
    if chosen.rounds is None:
        return base
    return Settings(chosen.rounds, base.slice_seconds, base.most_seconds, min(base.least_rounds, chosen.rounds))


def _forward(chosen: argparse.Namespace, command: str) -> int:
    from bench import forward

    everyday = chosen.command == "default"
    if chosen.cases:
        cells = list(cases.select(chosen.cases, cases.default_cells() if everyday else cases.grid()))
        if not cells:
            names = ",".join(chosen.cases)
            raise ArgumentError(
                f"no cell of the everyday run is in {names}; accepted: case:rows,"
                f" or python -m bench forward --cases {names}"
            )
    else:
        cells = cases.default_cells() if everyday else cases.grid()
    peers = choose(chosen.peers, DEFAULT if everyday else FORWARD)
    installed(peers[0], chosen.python)  # a second interpreter that does not run is refused before anything starts
    with _progress() as say:
        record = forward.run(cells, peers, chosen.threads, _settings(chosen), command, chosen.python, say)
    return _finish(record, chosen)


def _profile(chosen: argparse.Namespace, command: str) -> int:
    from bench import profile

    cells = list(cases.select(chosen.cases, cases.grid())) if chosen.cases else cases.grid()
    with _progress() as say:
        found = profile.run(cells, chosen.threads, say)
    console().print(profile.table(found))
    return 0


def _activations(chosen: argparse.Namespace, command: str) -> int:
    from bench import activations

    names, sizes = activations.select(chosen.names), chosen.sizes or activations.SIZES
    peers = choose(chosen.peers, ACTIVATIONS)
    installed(peers[0], chosen.python)
    with _progress() as say:
        record = activations.run(names, sizes, peers, chosen.threads, _settings(chosen), command, chosen.python, say)
    return _finish(record, chosen)


def _startup(chosen: argparse.Namespace, command: str) -> int:
    from bench import startup

    rounds = chosen.rounds or (1 if chosen.quick else 5)
    with _progress() as say:
        record = startup.run(rounds, command, say)
    return _finish(record, chosen)


def _main_job(chosen: argparse.Namespace, command: str) -> int:
    from bench import tutorial

    page = chosen.out / "parity.html"
    whole.require_writable(page, folders=True)
    with _progress() as say:
        return tutorial.run(console(), page, say=say)


def _show(chosen: argparse.Namespace, command: str) -> int:
    chosen.json = None
    return _finish(load(chosen.file), chosen)


def _finish(record: Record, chosen: argparse.Namespace) -> int:
    """Print the record and write what was asked for."""
    show(record)
    if chosen.json:
        save(record, chosen.json)
    if chosen.plot:
        from bench.plot import draw

        chosen.plot.parent.mkdir(parents=True, exist_ok=True)
        whole.write(chosen.plot, draw(record))
    return 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Give what says on standard error what is being done, on a terminal only; the line goes when the work ends.

    The line is written when something begins, not by a clock: nothing here may run while a peer is timed.
    """
    to = Console(stderr=True, highlight=False)

    def say(text: str) -> None:
        if to.is_terminal:
            print(f"\r\x1b[2K{text[: to.width - 1]}", end="", file=sys.stderr, flush=True)

    try:
        yield say
    finally:
        say("")
