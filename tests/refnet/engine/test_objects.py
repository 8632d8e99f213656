from __future__ import annotations

import hashlib
import inspect
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from refnet import activations
from refnet.engine import objects
from refnet.layers.operations import affine
from refnet.layers.prelu import prelu

FIRST = """
import numpy as np, sys
from refnet import activations
y = activations.get("relu")(np.array([-1, 2], np.float32))
from refnet.engine.objects import cache_folder, compile_count
print(compile_count(), "numba" in sys.modules, y.tolist(), cache_folder())
"""


def first_use(cache: Path | str, code: str = FIRST, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "REFNET_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout.split(maxsplit=2)


def test_compiled_once_and_loaded_without_numba(tmp_path):
    count, numba, _ = first_use(tmp_path)
    assert int(count) == len([*tmp_path.rglob("*.o")]) > 0
    assert numba == "True"
    assert first_use(tmp_path)[:2] == ["0", "False"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_a_damaged_entry_is_compiled_again(tmp_path, damage):
    first_use(tmp_path)
    entry = next(tmp_path.rglob("relu-float32-fixed.o"))
    content = bytearray(entry.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    entry.write_bytes({"truncated": content[:-7], "flipped": content, "empty": b"", "text": b"hello"}[damage])

    assert first_use(tmp_path)[0] == "1"
    assert first_use(tmp_path)[0] == "0"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")

    assert first_use(blocked)[0] != "0"
    assert blocked.read_text() == "a file where the folder should be"


def test_a_cache_in_the_home_of_nobody_is_no_error(tmp_path):
    code = (
        f"import os; os.chdir({str(tmp_path)!r})\n{FIRST}from refnet.engine.objects import unkept; print(unkept()[0])"
    )
    count, _, rest = first_use("~nosuchuser/x", code)
    assert int(count) > 0
    said = "REFNET_CACHE_DIR is '~nosuchuser/x', and that user has no home here; accepted: the path of a folder\n"
    assert rest.endswith(said)
    assert not [*tmp_path.iterdir()]


def test_what_is_no_file_in_the_place_of_an_entry_is_not_read(tmp_path):
    first_use(tmp_path)
    entry = next(tmp_path.rglob("relu-float32-fixed.o"))
    entry.unlink()
    os.mkfifo(entry)  # to open it is to wait for a writer

    assert first_use(tmp_path)[0] == "1"
    assert entry.is_file()


def test_without_numba_a_kernel_that_is_not_kept_is_one_sentence(tmp_path):
    code = """
import sys; sys.modules["numba"] = None
from refnet import activations, errors
try: activations.relu([1.0])
except errors.UnsupportedError as error: print(0, 0, error)
"""
    said = first_use(tmp_path, code)[2]
    assert said.startswith("kernels are compiled by numba, which cannot be imported (")
    assert said.endswith("); accepted: pip install numba\n")


def test_code_is_kept_where_the_clock_stands_before_the_sources_were_written(tmp_path):
    code = "import time\ntime.time = lambda: 1e9\n" + FIRST
    assert int(first_use(tmp_path, code)[0]) == len([*tmp_path.rglob("*.o")]) > 0
    assert first_use(tmp_path, code)[:2] == ["0", "False"]
    assert first_use(tmp_path)[:2] == ["0", "False"]


def test_a_library_of_numbas_that_cannot_be_loaded_is_one_sentence(tmp_path):
    code = """
import ctypes
from refnet import activations, errors
def refuses(*_, **__): raise OSError("Could not find/load shared object file")
import refnet.engine.apply; ctypes.CDLL = refuses
try: activations.relu([1.0])
except errors.UnsupportedError as error: print(0, 0, error)
"""
    said = first_use(tmp_path, code)[2]
    assert said.startswith("kernels are compiled by numba, which cannot be imported (Could not find/load")


@pytest.mark.parametrize(("mask", "mode"), [(0o000, 0o644), (0o022, 0o644), (0o077, 0o600)])
def test_others_may_read_an_entry_as_the_umask_says_and_never_write_it(tmp_path, mask, mode):
    base = tmp_path / "cache"
    first_use(base, f"import os; os.umask({mask})\n{FIRST}")
    found = [*base.rglob("*.o")]

    assert {stat.S_IMODE(entry.stat().st_mode) for entry in found} == {mode}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (base, found[0].parent)} == {0o755 & ~mask}


ON_A_TERMINAL = """
import io, sys
class Terminal(io.StringIO):
    isatty = lambda self: True
sys.stderr = Terminal()
import numpy as np
from refnet import activations
from refnet.activations.activation import activation
own = activation("2 x", exact=lambda m, x: 2 * x, derivative=lambda m, x: 2 + 0 * x)(lambda x: 2.0 * x)
from refnet.engine.forward import activation_kernel
from refnet.engine.objects import unkept
activation_kernel({used}, "float32")
print(sys.stderr.getvalue().count("; this happens once"), sys.stderr.getvalue().count("refnet: compiling"), unkept())
"""


@pytest.mark.parametrize("why", ["kept", "a file where the folder should be", "no multiply-add", "the user's own"])
def test_only_what_is_kept_is_compiled_once(tmp_path, why):
    base, environment = tmp_path / "cache", {}
    if why == "a file where the folder should be":
        base.write_text("")
    if why == "no multiply-add":
        environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    used = "own" if why == "the user's own" else 'activations.get("relu")'

    once, lines, unkept = first_use(base, ON_A_TERMINAL.format(used=used), **environment)

    assert (once, lines) == ("1" if why == "kept" else "0", "1")
    assert {
        "kept": unkept == "[]\n",
        "the user's own": unkept == "[]\n",
        "no multiply-add": "without fused multiply-add each process compiles its own; accepted: " in unkept,
        "a file where the folder should be": f"{base}/" in unkept and "cannot be written to (File exists)" in unkept,
    }[why]


def test_two_processes_fill_the_cache_at_once(tmp_path):
    environment = {**os.environ, "REFNET_CACHE_DIR": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", FIRST], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results = [process.communicate(timeout=300)[0] for process in both]

    assert all("[0.0, 2.0]" in result for result in results)
    assert first_use(tmp_path)[0] == "0"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".o"]


INTERRUPTED = """
import os, signal, threading, time
from refnet.engine import objects

def compile():
    time.sleep(0.5)  # until it is waited for
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
    print("compiled", flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where what runs the tests ignores it
try:
    objects._apart(compile)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_a_process_that_ctrl_c_ends_waits_for_its_compiler(tmp_path):
    """LLVM aborts where its memory is taken away while it compiles."""
    assert first_use(tmp_path, INTERRUPTED) == ["stopped", "compiled"]


def test_an_entry_carries_its_own_digest(tmp_path):
    first_use(tmp_path)
    entries = [*tmp_path.rglob("*.o")]

    assert entries
    for entry in entries:
        content = entry.read_bytes()
        assert hashlib.sha256(entry.stem.encode() + b"\n" + content[32:]).digest() == content[:32]


def test_the_folder_depends_on_the_cpu(tmp_path):
    code = "from refnet.engine.objects import cache_folder; print(0, 0, cache_folder())"
    here = first_use(tmp_path, code)[2]
    there = first_use(tmp_path, code, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")[2]
    slow = first_use(tmp_path, code, NUMBA_OPT="0")[2]

    assert len({here, there, slow}) == 3


def test_a_users_own_formula_is_not_kept_on_disk(tmp_path):
    code = """
import numpy as np
from refnet.activations.activation import activation
@activation("2 x", exact=lambda m, x: 2 * x, derivative=lambda m, x: 2 + 0 * x)
def doubled(x):
    '''Double.'''
    return 2.0 * x
from refnet.engine.objects import cache_folder
print(doubled(np.array([3.0], np.float32)).tolist()[0], "doubled" in str(list(cache_folder().glob("*.o"))))
"""
    assert first_use(tmp_path, code) == ["6.0", "False"]


def test_what_is_compiled_and_kept_is_among_the_sources():
    formulas = [activations.get(name).formula for name in activations.names()]
    files = {Path(inspect.getsourcefile(formula)) for formula in (*formulas, prelu, affine)}
    assert files <= set(objects.sources())
