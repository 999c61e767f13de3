"""The stage runner closes what it opens: a command would inherit nothing, but descriptors end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sweepmake.runs import messages, records
from sweepmake.runs.child import Child, tee


@contextmanager
def all_closed() -> Iterator[None]:
    """Fail where a descriptor more is open at the end: the next one is the lowest that is free."""
    first = os.open(os.devnull, os.O_RDONLY)
    os.close(first)
    yield
    again = os.open(os.devnull, os.O_RDONLY)
    os.close(again)
    assert again == first


def test_the_end_of_a_log_is_read_and_the_log_closed(tmp_path: Path) -> None:
    """Its last lines, as a terminal shows them; of a long log no more is read."""
    log = tmp_path / "log"
    many = "".join(f"line {at}\n" for at in range(100))
    log.write_text(many + "1/2\r2/2 \b\bdone\r\n\n \nlast")
    with all_closed():
        found = messages.tail(str(log))
    assert found[-2:] == ["2/2 done", "last"]
    assert len(found) <= messages.TAIL_LINES
    log.write_text("x" * (2 * messages.TAIL_BYTES) + "y")
    with all_closed():
        (line,) = messages.tail(str(log))
    assert (len(line), line[-2:]) == (messages.TAIL_BYTES, "xy")
    log.write_text("")
    assert messages.tail(str(log)) == []


def test_files_that_are_written_are_closed(tmp_path: Path) -> None:
    with all_closed():
        records.write_atomically(str(tmp_path / "a"), "one\n")
        records.append_line(str(tmp_path / "a"), "two\n")
    assert (tmp_path / "a").read_text() == "one\ntwo\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_full_pipe_takes_in_parts_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may take less than it is given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    records.append_line(str(tmp_path / "a"), "a line of more than three bytes\n")
    assert (tmp_path / "a").read_text() == "a line of more than three bytes\n"


def test_the_output_of_a_command_is_closed_on_this_side(tmp_path: Path) -> None:
    """So that a pipe ends with the command; its exit code is in the file, too."""
    child = Child()
    log = tmp_path / "log"
    with all_closed():
        output = os.open(log, os.O_WRONLY | os.O_CREAT)
        child.start("echo out; echo err >&2; exit 3", str(tmp_path / "exit"), output, os.environ)
        code, _ = child.wait()
    assert (code, child.pid, child.caught) == (3, 0, 0)
    assert log.read_text() == "out\nerr\n"
    assert (tmp_path / "exit").read_text() == "3\n"


def test_a_copy_of_the_output_ends_with_its_pipe(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It goes to the terminal and to the log."""
    log = tmp_path / "log"
    with all_closed():
        pid, pipe = tee(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        os.write(pipe, b"seen\n")
        os.close(pipe)
        assert os.waitpid(pid, 0)[1] == 0
    assert log.read_text() == "seen\n"
    assert capfd.readouterr().err == "seen\n"
