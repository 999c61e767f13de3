"""Which processes of a process group are left, once its leader has ended and has been reaped.

The system does not give a process number out again as long as a group has it. So where a process
has the group's number, the group has ended and the number is another's.
"""

from __future__ import annotations

import os

__all__ = ["is_left", "members", "name"]

_MOST_NAMED = 3


def is_left(group: int) -> bool:
    """Return whether any process of the group is there, as a rule without looking at each."""
    return _has_number(group) and bool(members(group))


def members(group: int) -> list[int]:
    """Return the processes of the group that live, sorted; zombies do not.

    A zombie stays where nobody reaps it, as in a container whose first process is no init. Without
    /proc, [group] stands for whatever is left.
    """
    if not _has_number(group):
        return []
    try:
        listed = os.listdir("/proc")
    except OSError:
        listed = []
    found = sorted(int(pid) for pid in listed if pid.isdigit() and _lives_in(pid, group))
    return found if str(os.getpid()) in listed else [group]


def name(pids: list[int]) -> str:
    """Return a few words that name the processes: "python (process 4711)"."""
    words = []
    for pid in pids[:_MOST_NAMED]:
        try:
            with open(f"/proc/{pid}/comm", "rb", buffering=0) as file:
                program = file.read(64).decode("utf-8", "replace").strip()
        except OSError:
            program = "a program"
        words.append(f"{program} (process {pid})")
    more = len(pids) - _MOST_NAMED
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _has_number(group: int) -> bool:
    """Return whether a group has this number, and no process, so that it is the one we know."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # one of them runs as another user
    try:
        os.kill(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _lives_in(pid: str, group: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # the name, in parentheses, may hold anything: proc(5), fields 3, 5 and 20
            fields = file.read(1024).rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # it has just ended, or is another user's
    except OSError:
        return True  # no file descriptors at this moment: nothing may be unlocked because of that
    if int(fields[2]) != group:
        return False
    # of a process whose first thread has ended, the others go on
    return fields[0] not in (b"Z", b"X") or int(fields[17]) > 1
