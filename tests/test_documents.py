"""README, CONTRIBUTING and everything in docs/ is run, so that what they show is what happens.

- A ``python`` block runs; one with ``>>>`` is a doctest; a ``text`` block right after one is what it must print.
- A block whose first line is a file name (``# my_model.py``) is also written to that file.
- A ``console`` block runs each ``$ command`` and compares what it prints.
- ``<!-- not run: reason -->`` before a block leaves it alone.
- ``<!-- numbers vary: reason -->`` before a block lets its numbers be others.

The blocks of one document share their names and their folder, top to bottom. ``...`` stands for anything.
``python -m tests.test_documents`` writes what is printed now into the documents.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from refnet import activations, clear_session

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WIDTH = "80"  # columns of a terminal that nobody has resized
CHECKER = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
BLOCK = re.compile(r"(?P<before>[^\n]*)\n*^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


NUMBER = re.compile(r"\d[\d.,]*(e[+-]?\d+)?")


class Outcome(NamedTuple):
    """What a document says is printed, where it says so, and what is printed."""

    start: int
    end: int
    expected: str
    printed: str
    numbers_vary: bool = False

    @property
    def agrees(self) -> bool:
        said, heard = (text.rstrip() + "\n" for text in (self.expected, self.printed))
        if self.numbers_vary:
            said, heard = NUMBER.sub("0", said), NUMBER.sub("0", heard)
        return CHECKER.check_output(said, heard, FLAGS)


def outcomes(text: str) -> Iterator[Outcome]:
    """Run a document's blocks in the current folder; yield an outcome for each output that it shows."""
    clear_session()
    with modules_of_this_folder():
        names: dict[str, object] = {"__name__": "document"}
        printed = ""
        for match in BLOCK.finditer(text):
            before, printed = printed, ""
            if "<!-- not run: " in match["before"]:
                continue
            vary = "<!-- numbers vary: " in match["before"]
            if match["language"] == "python" and not match["code"].startswith(">>>"):
                printed = run_python(match["code"], names)
            else:
                yield from (outcome._replace(numbers_vary=vary) for outcome in run(match, before, names))


@contextlib.contextmanager
def modules_of_this_folder() -> Iterator[None]:
    """Let a document import what it has written, and forget it afterwards."""
    path, modules = list(sys.path), set(sys.modules)
    folder = Path.cwd()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if (folder / f"{name}.py").exists():
                del sys.modules[name]


def run(match: re.Match[str], printed: str, names: dict[str, object]) -> Iterator[Outcome]:
    code, start = match["code"], match.start("code")
    if match["language"] == "text" and printed:
        yield Outcome(start, match.end("code"), code, printed)
    elif match["language"] == "console":
        yield from run_console(code, start)
    elif match["language"] == "python":
        yield from run_doctest(code, start, names)


def run_python(code: str, names: dict[str, object]) -> str:
    first = code.partition("\n")[0]
    if re.fullmatch(r"# [\w/]+\.py", first):
        Path(first[2:]).write_text(code)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    return printed.getvalue()


def run_doctest(code: str, start: int, names: dict[str, object]) -> Iterator[Outcome]:
    for example in doctest.DocTestParser().get_examples(code):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(example.source, "document", "single"), names)
        lines = code.splitlines(keepends=True)
        source_lines = example.source.count("\n")
        begin = start + sum(map(len, lines[: example.lineno + source_lines]))
        yield Outcome(begin, begin + len(example.want), example.want, printed.getvalue())


def run_console(code: str, start: int) -> Iterator[Outcome]:
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": binaries, "PYTHONPATH": str(ROOT)}
    for part in re.finditer(r"^\$ ([^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", code, flags=re.MULTILINE):
        done = subprocess.run(
            ["bash", "-c", f"{part[1]} 2>&1"], env=environment, capture_output=True, text=True, check=False
        )
        printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        yield Outcome(start + part.start(2), start + part.end(2), part[2], printed)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_document_is_true(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    text = path.read_text()
    for outcome in outcomes(text):
        if not outcome.agrees:
            line = text.count("\n", 0, outcome.start) + 1
            example = doctest.Example("", outcome.expected)
            difference = CHECKER.output_difference(example, outcome.printed, FLAGS | doctest.REPORT_NDIFF)
            pytest.fail(f"{named(path)}, line {line}: something else is printed\n{difference}", pytrace=False)


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    generated = re.compile(r"(^|/)activations/")  # pages that docs/hooks.py makes from the book
    assert [to for to in local if not (path.parent / to).exists() and not generated.search(to)] == []


def test_the_pages_build(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = tmp_path / "site" / "reference" / "activations"
    assert [name for name in activations.names() if not (pages / f"{name}.html").exists()] == []


def test_no_path_of_one_machine_and_no_host_of_a_registry():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    forbidden = re.compile("|".join(["/ro" + "ot/", "/wo" + "rk/", "pypi" + r"\.org", "pythonhosted" + r"\.org"]))
    found = []
    for name in listed.split("\n"):
        file = ROOT / name
        if file.is_file() and file.suffix not in {".png", ".npz", ".npy", ".keras", ".h5"}:
            found += [f"{name}: {hit}" for hit in forbidden.findall(file.read_text(errors="replace"))]
    assert not found


def rewrite(path: Path) -> None:
    """Write what a document's blocks print now into it."""
    text = path.read_text()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        changed = [outcome for outcome in outcomes(text) if not outcome._replace(numbers_vary=False).agrees]
    for outcome in reversed(changed):
        lines = (line.rstrip() for line in outcome.printed.rstrip().splitlines())
        text = text[: outcome.start] + "".join(f"{line}\n" for line in lines) + text[outcome.end :]
    path.write_text(text)
    print(f"{named(path)}: {len(changed)} outputs rewritten")


if __name__ == "__main__":
    os.environ.update(COLUMNS=WIDTH, TF_CPP_MIN_LOG_LEVEL="3")
    for document in [Path(word).resolve() for word in sys.argv[1:]] or DOCUMENTS:
        rewrite(document)
