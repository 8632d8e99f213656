from __future__ import annotations

import errno
import itertools
import os
import sys

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


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path, there):
    (tmp_path / "far").mkdir()
    target, link, middle = tmp_path / "far" / "file", tmp_path / "link", tmp_path / "middle"
    link.symlink_to("middle")
    middle.symlink_to("far/file")
    if there:
        target.write_text("before")
    whole.require_writable(link)
    whole.write(link, "after")

    assert target.read_text() == "after"
    assert link.is_symlink()
    assert middle.is_symlink()
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_link_to_where_nothing_can_be_written_is_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("none/file")
    with pytest.raises(FileError, match="its folder does not exist"):
        whole.require_writable(link)


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


def interrupted(target, events):
    """Write, and press Ctrl-C after so many lines of Python; tell whether that was before the end."""
    left = itertools.count(events, -1)

    def trace(frame, event, argument):
        if event == "line" and next(left) == 0:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        whole.write(target, "after")
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what Ctrl-C leaves open, Python closes
def test_ctrl_c_at_any_line_leaves_a_whole_file_and_no_other(tmp_path):
    target = tmp_path / "file"
    for events in itertools.count():
        target.write_text("before")
        stopped = interrupted(target, events)
        assert target.read_text() in ("before", "after")
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        if not stopped:
            break
    assert events > 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(FileError, match=rf"{name}: cannot be written \(it is not a file\); accepted: a path"):
            whole.write(tmp_path / name, "x")
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_that_does_not_exist_is_one_sentence(tmp_path):
    with pytest.raises(FileError, match=r"none/file: cannot be written \(No such file or directory\)"):
        whole.write(tmp_path / "none" / "file", "x")


@pytest.mark.parametrize("name", ["there", "new"])
def test_what_can_be_written_is_neither_made_nor_changed(tmp_path, name):
    (tmp_path / "there").write_text("before")
    whole.require_writable(tmp_path / name)
    assert (tmp_path / "there").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    ("name", "folders", "why"),
    [
        (".", False, "it is a folder"),
        ("no/new", False, "its folder does not exist"),
        ("there/new", False, "its folder is a file"),
        ("there/no/new", True, "its folder is a file"),
        ("n" * 250, False, "File name too long"),
        ("no/" + "n" * 250, True, "File name too long"),
    ],
)
def test_what_cannot_be_written_is_named(tmp_path, name, folders, why):
    (tmp_path / "there").write_text("before")
    with pytest.raises(FileError, match=f"^cannot write '[^']*': {why}; accepted: a file in a folder that can be"):
        whole.require_writable(tmp_path / name, folders)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_folder_that_is_yet_to_be_made_will_do_where_folders_are_made(tmp_path):
    whole.require_writable(tmp_path / "no" / "nor" / "new", folders=True)
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_the_greatest_length_can_be_written_if_it_is_not_refused(tmp_path):
    longest = max(length for length in range(200, 256) if accepted(tmp_path / ("n" * length)))
    whole.write(tmp_path / ("n" * longest), "x")
    with pytest.raises(FileError):
        whole.write(tmp_path / ("n" * (longest + 1)), "x")


def accepted(path):
    try:
        whole.require_writable(path)
    except FileError:
        return False
    return True
