"""What a run leaves on disk: `stat` and `param` as mlrunner writes them, and the run's record.

`stat` and `param` are YAML and `<stage>.json` is JSON, but the stage runner, which writes them for
every run, cannot afford to import a YAML or JSON library (each costs more than Python's own
start). Writing needs only the quoting below; reading JSON back happens only on a rerun.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "append_line",
    "open_appended",
    "quote",
    "read_end",
    "read_exit",
    "read_lines",
    "read_record",
    "read_small",
    "remove",
    "stat_text",
    "to_json",
    "update_param",
    "update_stat",
    "write_all",
    "write_atomically",
    "write_over",
    "write_small",
]

_BLOCK = 4096  # bytes that a file has on the disk as soon as it has one of them

# what a double-quoted string of both JSON and YAML (as PyYAML reads it) cannot hold as it is
_ESCAPED = {n: f"\\u{n:04x}" for n in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
_ESCAPED.update({0xFEFF: "\\ufeff", 0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"})
_ESCAPED.update({0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x09: "\\t", 0x0D: "\\r"})


def quote(text: str) -> str:
    """Return the text as a double-quoted string that is both JSON and YAML."""
    return '"' + text.translate(_ESCAPED) + '"'


def to_json(record: Mapping[str, object]) -> str:
    """Return one flat JSON object on one line: strings, numbers, booleans and None, in order."""
    parts = []
    for key, value in record.items():
        if value is None:
            shown = "null"
        elif value is True or value is False:
            shown = "true" if value else "false"
        elif isinstance(value, str):
            shown = quote(value)
        else:
            shown = repr(value)
        parts.append(f'"{key}": {shown}')
    return "{" + ", ".join(parts) + "}\n"


def read_record(path: str) -> dict[str, object] | None:
    """Return the record, or None where there is none or a crash of the machine has cut it."""
    try:
        file = open(path, encoding="utf-8")  # noqa: SIM115 - closed below; json is slow to import
    except FileNotFoundError:
        return None
    import json

    with file:
        try:
            record = json.load(file)
        except ValueError:
            return None
    return record if isinstance(record, dict) else None


def read_small(path: str) -> str:
    """Return the content of a file of a few bytes, "" where there is none."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return ""
    try:
        return os.read(file, 4096).decode("utf-8", "replace").rstrip("\n")
    finally:
        os.close(file)


def read_exit(path: str) -> tuple[int | None, bool]:
    """Return what the shells around a command have written of its end.

    Args:
        path: the file; "3" is what the command's own shell wrote, "137 shell" what the shell
            around that one saw of its end, and anything else says nothing.

    Returns:
        The exit code, None where it is not known, and whether the command's own shell wrote it.
    """
    code, blank, writer = read_small(path).strip().partition(" ")
    if not code.isdigit() or (blank and writer != "shell"):
        return None, False
    return int(code), not blank


def read_end(path: str) -> tuple[str, int | None]:
    """Return the (state, exit code) of a run that ended while nobody watched.

    Args:
        path: the file into which the command's shells write the exit code; without one the run
            is lost.
    """
    code, by_itself = read_exit(path)
    if code is None:
        return "lost", None
    if code > 128 and not by_itself:
        return "interrupted", code  # a signal ended the shell, and perhaps no more than that
    return ("failed" if code else "finished"), code


def write_atomically(path: str, text: str, temporary: str = "") -> None:
    """Write the file so that a reader sees the old content or the new one, never a part.

    Args:
        path: the file.
        text: its new content.
        temporary: a name beside it that no other program writes at the same time; where a kill
            leaves it behind, the next writing uses it up.
    """
    temporary = temporary or f"{path}.tmp"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_all(file, text, path)
        os.replace(temporary, path)
    except OSError:
        remove(temporary)
        raise
    finally:
        os.close(file)


def write_small(path: str, text: str) -> None:
    """Write a file of a few bytes, which a reader may see half written."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_all(file, text, path)
    finally:
        os.close(file)


def write_over(path: str, text: str) -> bool:
    """Write a text over that of a file, for which a full disk has room; return whether it did.

    It stays within the blocks that the file has; what is left of the old text becomes blank lines.
    So it is right for a text after which blank lines say nothing, as after JSON and YAML.
    """
    try:
        file = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        size = os.fstat(file).st_size
        data = text.encode("utf-8", "backslashreplace")
        if len(data) > -(-size // _BLOCK) * _BLOCK:
            return False  # it could end in the middle
        return os.pwrite(file, data.ljust(size, b"\n"), 0) >= len(data)
    except OSError:
        return False
    finally:
        os.close(file)


def append_line(path: str, line: str) -> None:
    """Append one line in one write, so that lines of several writers never mix."""
    os.close(open_appended(path, line))


def open_appended(path: str, line: str) -> int:
    """Append one line, all of it or nothing; return the open file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    size = os.fstat(file).st_size
    try:
        write_all(file, line, path)
    except OSError:
        os.ftruncate(file, size)  # half a line would spoil the next one
        os.close(file)
        raise
    return file


def write_all(file: int, text: str, path: str) -> None:
    """Write a text into an open file; an OSError names the file."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError as error:
        error.filename = path
        raise


def remove(path: str) -> None:
    """Remove a file, if it is there.

    Raises:
        OSError: it is there, and stays.
    """
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return


def update_stat(path: str, stage: str, state: str) -> None:
    """Set one stage's state in a `stat` file: YAML, one line per stage, sorted."""
    text = stat_text(path, stage, state)
    if text is not None:
        write_atomically(path, text, f"{path}.{stage}.tmp")


def stat_text(path: str, stage: str, state: str) -> str | None:
    """Return what a `stat` file says with one stage's state set; None where it says so already."""
    lines = {}
    for line in read_lines(path):
        name, colon, old = line.partition(":")
        if colon:
            lines[name] = old.strip()
    if lines.get(stage) == state:
        return None
    lines[stage] = state
    return "".join(f"{name}: {lines[name]}\n" for name in sorted(lines))


def update_param(path: str, parameters: str, stage: str, script: str) -> None:
    """Write a `param` file: the parameters, and under `_scripts` each stage's last command.

    Args:
        path: the file; the `_scripts` of other stages that it holds stay.
        parameters: the YAML text of everything but `_scripts`.
        stage: whose command this is.
        script: the command as a shell would be given it.
    """
    scripts: dict[str, str] = {}
    name = ""
    inside = False
    for line in read_lines(path):
        if not line.startswith((" ", "\n")):
            inside = line.startswith("_scripts:")
        elif inside and line[2:3] not in (" ", "\n", ""):
            name = line[2:].partition(":")[0]
            scripts[name] = line
        elif inside and name:
            scripts[name] += line  # a scalar of several lines, as other programs may write it
    scripts[stage] = f"  {stage}: {quote(script)}\n"
    text = parameters + "_scripts:\n" + "".join(scripts[s] for s in sorted(scripts))
    write_atomically(path, text, f"{path}.{stage}.tmp")


def read_lines(path: str) -> list[str]:
    """Return a file's lines with their ends; [] where there is none."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return []
    try:
        data = b""
        while chunk := os.read(file, 1 << 16):
            data += chunk
    finally:
        os.close(file)
    return data.decode("utf-8", "surrogateescape").splitlines(keepends=True)
