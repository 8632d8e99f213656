"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from refnet.errors import FileError

__all__ = ["opened", "write"]


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file beside ``path`` that takes its place once it is complete.

    Raises
    ------
    FileError
        If the folder does not exist or the file cannot be written. What stood there before still stands there.
    """
    path = Path(path)
    beside = None
    try:
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        Path(beside).chmod(0o666 & ~mask)  # mkstemp keeps others out
        Path(beside).replace(path)
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
