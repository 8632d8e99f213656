"""Compiled functions, kept on disk as object code and loaded without numba.

numba is imported only to compile. What it compiles is one object file of a few kB per function, which `linker` puts
into memory, or LLVM where that refuses. A file belongs to exactly these sources, versions and this CPU: all of them are
in the folder's name. Files are written whole or not at all, and their SHA-256 is checked before use.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refnet.elementary import LOADED
from refnet.engine.capi import add_symbols, address_of
from refnet.engine.linker import RefusedError, link
from refnet.engine.machine import machine
from refnet.errors import UnsupportedError
from refnet.forking import CODE

__all__ = ["cache_folder", "compile_count", "name_of", "native", "sources", "unkept"]

# A recipe returns the function to compile and its numba signature; it imports numba itself.
Recipe = Callable[[], tuple[Callable[..., Any], Any]]

# A fork waits for it: LLVM's and numba's state is then whole in the child too.
_lock = CODE
_addresses: dict[str, int] = {}
_engines: list[Any] = []  # code that LLVM has loaded; it must live as long as its addresses
_compiled: list[str] = []
_unkept: list[str] = []  # for each compiled function that was to be kept on disk and is not, why

#: A compiler thread's stack: LLVM needs some, whatever the program has chosen for its own threads.
STACK_BYTES = 16 << 20


def native(name: str, recipe: Recipe, *, keep: bool = True) -> int:
    """Return the address of the compiled function ``name``; load it from disk or compile it.

    Parameters
    ----------
    name : str
        A file name; with `cache_folder` it identifies the code.
    recipe : callable
        Called only if there is nothing usable on disk.
    keep : bool
        Whether the code may be read from and written to disk (False for a user's own formulas).
    """
    with _lock:
        address = _addresses.get(name)
        entry = _read(name) if keep and machine().fused and address is None else None
        if entry is not None:
            address = _addresses[name] = _load(*entry)
    # The lock is free meanwhile: who compiles may need it, and a formula of a user's may call another activation.
    return _apart(lambda: _made(name, recipe, keep)) if address is None else address


def name_of(address: int) -> str:
    """Return the name of the compiled function at an address that `native` gave."""
    with _lock:
        return next(name for name, place in _addresses.items() if place == address)


def compile_count() -> int:
    """Return how many functions this process has compiled, rather than loaded."""
    return len(_compiled)


def unkept() -> list[str]:
    """Return why functions that this process has compiled are not on disk, where they should be; once for each."""
    return list(_unkept)


@functools.cache
def cache_folder() -> Path:
    """Return the folder of compiled code for these sources, versions and this CPU.

    It lies below ``REFNET_CACHE_DIR``, or else the user's cache folder.
    """
    import numpy as np

    digest = hashlib.sha256()
    for name in ("llvmlite", "numba"):
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            digest.update((Path(found.origin).parent / "_version.py").read_bytes())
    settings = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_"))
    digest.update(repr((np.__version__, sys.version, machine(), settings)).encode())
    for source in sources():
        digest.update(source.name.encode() + source.read_bytes())
    folder = _base_folder()
    # What is newer than now was written while the clock was wrong, and says nothing.
    if any(LOADED < source.stat().st_ctime <= time.time() for source in sources()):
        folder = None  # an upgrade meanwhile: what is compiled is not what the files say
    return (folder or Path(os.devnull)) / digest.hexdigest()[:24]


def sources() -> list[Path]:
    """Return the files that compiled code is made from: the engine, and all that has formulas."""
    package = Path(__file__).parents[1]
    folders = sorted([*package.glob("engine/*.py"), *package.glob("activations/*.py")])
    return [*folders, package / "elementary.py", *(package / "layers" / name for name in ("operations.py", "prelu.py"))]


def _base_folder() -> Path | None:
    """Return the folder of all caches; None for a user without a home: where others may write is no place for code."""
    given = os.environ.get("REFNET_CACHE_DIR")
    if given:
        with contextlib.suppress(RuntimeError):
            return Path(given).expanduser()
        return None  # the home of a user who does not exist, or has none
    common = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if common.is_absolute():  # the XDG Base Directory Specification ignores others
        return common / "refnet"
    try:
        home = Path("~").expanduser()
    except RuntimeError:
        return None
    return home / ".cache" / "refnet" if home.is_absolute() and home != Path(home.root) else None


def _made(name: str, recipe: Recipe, keep: bool) -> int:
    """Compile a function, unless another thread has done it by now; return its address."""
    with _lock:
        address = _addresses.get(name)
        if address is None:
            obstacle = _obstacle() if keep else None
            entry = _compile(name, recipe, once=keep and obstacle is None)
            if keep:
                obstacle = obstacle or _write(name, *entry)
            if obstacle is not None:
                _unkept.append(obstacle)
            address = _addresses[name] = _load(*entry)
        return address


def _apart(work: Callable[[], int]) -> int:
    """Return what ``work`` does in a thread of its own, where Ctrl-C does not reach it.

    In the main thread it could end an import of numba or a callback of LLVM's halfway, and no later call would work.
    """
    outcome: list[int] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # it is the caller's
            failure.append(error)
        finally:
            done.set()

    if threading.current_thread() is not threading.main_thread():
        return work()
    chosen = threading.stack_size(STACK_BYTES)
    try:
        thread = threading.Thread(target=run, name="refnet compiles")
        thread.start()
    except RuntimeError:  # no more threads: at the end of the interpreter, or by a limit of the system
        return work()
    finally:
        threading.stack_size(chosen)
    # Not by join alone: until 3.13 Python takes a thread for ended whose join Ctrl-C interrupts (gh-90882), and at its
    # own end would not wait for it. LLVM aborts where its memory is taken away while it compiles.
    done.wait()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _compile(name: str, recipe: Recipe, once: bool) -> tuple[str, bytes]:
    if not _compiled and sys.stderr.isatty():
        sys.stderr.write(f"refnet: compiling kernels for this machine{'; this happens once' if once else ''}\n")
    try:
        import numba
    except (ImportError, OSError) as error:  # numba, or what it needs in turn: a library that cannot be mapped
        raise UnsupportedError(
            f"kernels are compiled by numba, which cannot be imported ({error}); accepted: pip install numba"
        ) from error
    if numba.config.DISABLE_JIT:
        raise UnsupportedError("NUMBA_DISABLE_JIT is set, and refnet's kernels are compiled; accepted: without it")
    add_symbols()
    function, signature = recipe()
    compiled = numba.cfunc(signature, error_model="numpy")(function)
    _compiled.append(name)
    _, _, (code, *_) = compiled._library.serialize_using_object_code()
    return compiled._wrapper_name, code


def _load(symbol: str, code: bytes) -> int:
    try:
        return link(code, symbol, address_of)
    except RefusedError:
        return _load_by_llvm(symbol, code)


def _load_by_llvm(symbol: str, code: bytes) -> int:
    import llvmlite.binding as llvm

    add_symbols()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(symbol))


@functools.cache
def _target_machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(jit=True)


def _read(name: str) -> tuple[str, bytes] | None:
    """Return the symbol and the code of a cached function, or None if it is absent or damaged."""
    entry = cache_folder() / f"{name}.o"
    try:
        if not entry.is_file():  # to open a FIFO is to wait for a writer
            return None
        content = entry.read_bytes()
    except OSError:
        return None
    digest, body = content[:32], content[32:]
    if _digest(name, body) != digest:
        return None
    symbol, _, code = body.partition(b"\n")
    return symbol.decode(), code


def _digest(name: str, body: bytes) -> bytes:
    """Return the SHA-256 of an entry, which belongs to its name as well."""
    return hashlib.sha256(name.encode() + b"\n" + body).digest()


def _obstacle() -> str | None:
    """Return why nothing can be kept on disk, or None; make the folder."""
    if not machine().fused:  # the code calls the C library, by symbols that only numba sets up: no loading then
        return "without fused multiply-add each process compiles its own; accepted: a processor that has it"
    given = os.environ.get("REFNET_CACHE_DIR", "")
    if given.startswith("~") and _base_folder() is None:
        return f"REFNET_CACHE_DIR is {given!r}, and that user has no home here; accepted: the path of a folder"
    folder = cache_folder()
    try:
        for each in (folder.parent, folder):
            each.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        return _unwritable(error.strerror)
    return None if os.access(folder, os.W_OK | os.X_OK) else _unwritable("no permission")


def _write(name: str, symbol: str, code: bytes) -> str | None:
    """Put a function into the cache, whole or not at all; return why it could not be, which is no error."""
    body = symbol.encode() + b"\n" + code
    temporary = cache_folder() / f".{os.urandom(8).hex()}"
    try:
        with open(temporary, "xb", opener=_opened) as file:
            file.write(_digest(name, body) + body)
        temporary.replace(cache_folder() / f"{name}.o")
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        return _unwritable(error.strerror)
    return None


def _opened(path: str, flags: int) -> int:
    """Open a file that others may read, as far as the umask lets them; nobody else may write what is loaded as code."""
    return os.open(path, flags, 0o644)


def _unwritable(reason: object) -> str:
    return f"{cache_folder()} cannot be written to ({reason}); accepted: another folder, named by REFNET_CACHE_DIR"
