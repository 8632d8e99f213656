"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from refnet.errors import FileError

__all__ = ["FULL", "opened", "require_writable", "write"]

#: Of an OSError, that nothing more can be written to what has been open for long, such as standard output.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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
        descriptor, beside = tempfile.mkstemp(dir=place.parent, prefix=_prefix(place))
        with os.fdopen(descriptor, "wb") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        Path(beside).chmod(0o666 & ~mask)  # mkstemp keeps others out
        Path(beside).replace(place)
    except BaseException as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
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
                (folder / f"{_prefix(place)}12345678").lstat()  # mkstemp adds eight letters
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
