"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from refnet.errors import FileError

__all__ = ["FULL", "opened", "require_writable", "write"]

#: Of an OSError, that nothing more can be written to what has been open for long, such as standard output.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

#: What makes the name of a file that is not whole yet unlike any other.
_LETTERS = 8


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file beside ``path`` that takes its place once it is complete; of a link, the place it leads to.

    Raises
    ------
    FileError
        If the folder does not exist or the file cannot be written. What stood there before still stands there.
    """
    path, place, beside = Path(path), _place(path), None
    try:
        if place.exists() and not place.is_file():  # root could replace a device, such as /dev/null
            raise FileError(f"{path}: cannot be written (it is not a file); accepted: a path in a folder that exists")
        # Its name is known before it is there: Ctrl-C finds it at any moment, as it would not with tempfile.
        beside = place.parent / f"{_prefix(place)}{os.urandom(_LETTERS // 2).hex()}"
        with beside.open("xb") as file:
            yield file
        beside.replace(place)
    except BaseException as error:
        if beside is not None:
            with contextlib.suppress(OSError):  # such as that it was never there
                beside.unlink()
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise FileError(
                f"{path}: cannot be written ({reason}); accepted: a path in a folder that exists"
            ) from error
        raise


def write(path: str | Path, content: str | bytes) -> None:
    """Write ``content`` to ``path``, text as UTF-8.

    Raises
    ------
    FileError
        As `opened`.
    """
    with opened(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def require_writable(path: str | Path, folders: bool = False) -> None:
    """Refuse a path that no file could be written to, before long work begins; nothing is made or changed.

    Parameters
    ----------
    path : str or Path
        What will be written.
    folders : bool
        Whether the folders on the way will be made, too.

    Raises
    ------
    FileError
        If it is no file's path, or its folder is not there or cannot be written to.
    """
    place, why = _place(path), ""
    folder = place.parent
    try:
        while folders and not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            why = "its folder is a file" if folder.exists() else "its folder does not exist"
        elif place.exists() and not place.is_file():
            why = "it is a folder" if place.is_dir() else "it is not a file"
        elif not os.access(folder, os.W_OK | os.X_OK):
            why = "its folder cannot be written to"
        else:
            with contextlib.suppress(FileNotFoundError):
                (folder / (_prefix(place) + "0" * _LETTERS)).lstat()
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise FileError(f"cannot write {str(path)!r}: {why}; accepted: a file in a folder that can be written to")


def _place(path: str | Path) -> Path:
    """Return where a path leads: through links, so that they stay."""
    place = Path(path)
    return Path(os.path.realpath(place)) if place.is_symlink() else place


def _prefix(path: Path) -> str:
    """Return how the name begins that a file has until it is whole."""
    return f".{path.name}."
