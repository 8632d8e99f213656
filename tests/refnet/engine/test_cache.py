"""A cache of compiled code that cannot be read, written, finished or found: slower, never wrong."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pty
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refnet import activations
from refnet.engine import objects, warmup
from refnet.engine.forward import activation_kernel
from tests.refnet.engine.apart import ROOT, command, environment, run_apart, with_cores

CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24  # linux/capability.h, linux/prctl.h


def first_use(limit: int = 0) -> None:
    """Use one kernel, by its address; print how many functions were compiled, and whether the result is right.

    Files may not pass the limit.
    """
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(activation_kernel(activations.get("relu"), "float32"))
    x = np.array([-1, 2], np.float32)
    y = np.empty_like(x)
    kernel(x.ctypes.data, y.ctypes.data, 1, 2, 0, 0)
    print(objects.compile_count(), y.tolist() == [0.0, 2.0])


def other_use() -> None:
    activation_kernel(activations.get("leaky_relu"), "float32")


def changed_meanwhile() -> None:
    """Change a source after it has been loaded, as an upgrade does."""
    source = Path(objects.__file__).parents[1] / "activations" / "rectifiers.py"
    assert "copy" in source.parts  # not the file that other tests use
    source.write_text(source.read_text())
    first_use()


def interrupted_use(seconds: float) -> None:
    """Press Ctrl-C in the first call of all, and call again."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
    with contextlib.suppress(KeyboardInterrupt):
        activation_kernel(activations.get("relu"), "float32")
        time.sleep(60)
    first_use()


def nested_use() -> None:
    """Use a formula that calls another activation while it is compiled, and compile where no thread can be had."""

    def tilted(x: Any) -> Any:
        return x * float(activations.softmax(np.ones(4, np.float32))[0])

    block = activations.activation("x / 4", exact=lambda m, x: x / 4, derivative=lambda m, x: 0.25)(tilted)
    right = block(np.array([8.0], np.float32)).tolist() == [2.0]

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refused  # type: ignore[method-assign]
    print(right, activations.tanh(np.zeros(1, np.float32)).tolist() == [0.0])


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("limit", [1, 100, 1000])
def test_a_full_disk_leaves_nothing_behind(tmp_path, limit):
    cache = str(tmp_path)

    assert run_apart(first_use, limit, REFNET_CACHE_DIR=cache) == "1 True\n"
    assert entries(tmp_path) == []
    assert run_apart(first_use, REFNET_CACHE_DIR=cache) == "1 True\n"
    assert run_apart(first_use, limit, REFNET_CACHE_DIR=cache) == "0 True\n"


def test_a_full_file_system(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a file system")
    try:
        (disk / "large").write_bytes(b"0" * 4096)
        assert run_apart(first_use, REFNET_CACHE_DIR=str(disk)) == "1 True\n"
        assert [path.name for path in entries(disk)] == ["large"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_read_only_folder_serves_what_it_has(tmp_path):
    run_apart(first_use, REFNET_CACHE_DIR=str(tmp_path))
    (entry,) = entries(tmp_path)
    other = entry.with_name("other.o")
    entry.rename(other)
    entry.parent.chmod(0o555)

    def without_privileges() -> None:  # root may write everywhere, unless that is taken from it before exec
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)

    def use() -> str:
        return subprocess.run(
            command(first_use),
            env=environment(REFNET_CACHE_DIR=str(tmp_path)),
            preexec_fn=without_privileges,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    try:
        assert use() == "1 True\n"
        assert entries(tmp_path) == [other]
        entry.parent.chmod(0o755)
        other.rename(entry)
        entry.parent.chmod(0o555)
        assert use() == "0 True\n"
    finally:
        entry.parent.chmod(0o755)


@pytest.mark.parametrize("damage", ["truncated to the digest", "a byte short", "of another function", "a folder"])
def test_an_entry_of_another_kind_is_not_used(tmp_path, damage):
    run_apart(first_use, REFNET_CACHE_DIR=str(tmp_path))
    (entry,) = entries(tmp_path)
    content = entry.read_bytes()
    entry.unlink()
    if damage == "a folder":
        entry.mkdir()
    elif damage == "of another function":
        run_apart(other_use, REFNET_CACHE_DIR=str(tmp_path))
        (other,) = entries(tmp_path)
        entry.write_bytes(other.read_bytes())
    else:
        entry.write_bytes(content[:32] if damage == "truncated to the digest" else content[:32] + content[33:])

    assert run_apart(first_use, REFNET_CACHE_DIR=str(tmp_path)) == "1 True\n"


def without_a_home() -> None:
    """As in a container that runs under a number without a name."""
    import pwd

    def unknown(number: int) -> None:
        raise KeyError(number)

    for name in ("REFNET_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        os.environ.pop(name, None)
    pwd.getpwuid = unknown  # type: ignore[assignment]
    first_use()


def test_a_user_without_a_home_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert run_apart(without_a_home) == "1 True\n"
    assert entries(tmp_path) == []


def test_what_has_changed_on_disk_since_it_was_loaded_is_not_kept(tmp_path):
    copy = shutil.copytree(ROOT / "refnet", tmp_path / "copy" / "refnet")
    cache = tmp_path / "cache"
    (tmp_path / "copy" / "tests").symlink_to(ROOT / "tests")
    first = f"import sys; sys.path.insert(0, {str(copy.parent)!r})"

    assert run_apart(changed_meanwhile, first=first, REFNET_CACHE_DIR=str(cache)) == "1 True\n"
    assert entries(cache) == []
    assert run_apart(first_use, first=first, REFNET_CACHE_DIR=str(cache)) == "1 True\n"
    assert len(entries(cache)) == 1


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3, 1.0])
def test_ctrl_c_in_the_first_call_does_not_break_the_next(tmp_path, seconds):
    assert run_apart(interrupted_use, seconds, REFNET_CACHE_DIR=str(tmp_path)) == "1 True\n"


def test_a_formula_may_call_another_activation_and_no_thread_need_be_had(tmp_path):
    assert run_apart(nested_use, timeout=60, REFNET_CACHE_DIR=str(tmp_path)) == "True True\n"


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "HOME"])
@pytest.mark.parametrize("value", ["", "here"])
def test_a_folder_that_is_not_absolute_is_none(tmp_path, monkeypatch, name, value):
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    variables = {"REFNET_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(home), name: value}

    assert run_apart(first_use, **variables) == "1 True\n"
    found = [path.relative_to(tmp_path).parts[0] for path in entries(tmp_path)]
    assert found == (["home"] if name == "XDG_CACHE_HOME" else [])


def test_without_numbas_compiler_there_is_a_sentence(tmp_path):
    with pytest.raises(AssertionError, match=r"UnsupportedError: NUMBA_DISABLE_JIT is set, and refnet's kernels"):
        run_apart(first_use, REFNET_CACHE_DIR=str(tmp_path), NUMBA_DISABLE_JIT="1")


def test_many_processes_fill_the_cache_at_once(tmp_path):
    running = [
        subprocess.Popen(
            command(first_use), env=environment(REFNET_CACHE_DIR=str(tmp_path)), stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = {process.communicate(timeout=300)[0] for process in running}

    assert said <= {"0 True\n", "1 True\n"}
    assert len(entries(tmp_path)) == 1


def use_everything() -> None:
    """Print what is compiled for every activation in every dtype, on its own and in a model."""
    import refnet
    from refnet import layers

    for dtype in ("float16", "float32", "float64"):
        for name in activations.names():
            block = activations.get(name)
            values = dict.fromkeys(block.parameters, 0.5)
            values.update(dict.fromkeys(block.flags, True))
            for form in (block.with_parameters(**dict.fromkeys(block.required, 0.5)), block.with_parameters(**values)):
                form(np.ones((2, 4), dtype))
                if dtype != "float16":
                    refnet.Sequential([layers.Dense(2, form, dtype=dtype)])(np.ones((2, 3), dtype))
    refnet.set_num_threads(2)
    with_cores(2)
    for dtype in ("float32", "float64"):
        wide = refnet.Sequential([refnet.Input((1000,), dtype=dtype), layers.Dense(1000, dtype=dtype)])
        for rows in (1, 100):  # by columns, by rows
            wide(np.ones((rows, 1000), dtype))
        assert wide.plan._only._tickets
    print(objects._compiled)


def test_after_a_warmup_nothing_is_left_to_compile():
    for _ in warmup():
        pass

    assert run_apart(use_everything) == "[]\n"


def test_one_line_on_a_terminal_while_the_first_kernel_compiles(tmp_path):
    seen = []
    for _ in range(2):
        ours, theirs = pty.openpty()
        subprocess.run(
            command(first_use),
            env=environment(REFNET_CACHE_DIR=str(tmp_path)),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=True,
        )
        os.write(theirs, b"end\n")
        said = b""
        while not said.endswith(b"end\r\n"):  # a read gives what has come so far
            said += os.read(ours, 10_000)
        seen.append(said.decode().split("\r\n"))
        os.close(ours)
        os.close(theirs)

    assert len(seen[0]) == 3
    assert seen[0][0].startswith("refnet: compiling")
    assert seen[1] == ["end", ""]
