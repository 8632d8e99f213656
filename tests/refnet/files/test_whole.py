from __future__ import annotations

import errno

import pytest

from refnet.errors import FileError
from refnet.files import whole


@pytest.mark.parametrize("content", ["Größe\n", b"\x00\xff"])
def test_the_content_arrives(tmp_path, content):
    whole.write(tmp_path / "file", content)
    expected = content.encode() if isinstance(content, str) else content

    assert (tmp_path / "file").read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_others_may_read_it_as_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("x")
    whole.write(tmp_path / "file", "x")

    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


FAILURES = [OSError(errno.ENOSPC, "No space left on device"), ValueError("x"), KeyboardInterrupt()]


def fail(path, error):
    with whole.opened(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", FAILURES)
def test_what_stood_there_stays_if_writing_fails(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("before")
    expected = FileError if isinstance(error, OSError) else type(error)

    with pytest.raises(expected):
        fail(target, error)

    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_does_not_exist_is_one_sentence(tmp_path):
    with pytest.raises(FileError, match=r"none/file: cannot be written \(No such file or directory\)"):
        whole.write(tmp_path / "none" / "file", "x")
