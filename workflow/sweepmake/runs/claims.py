"""Who holds a run, a folder, a card: every claim is taken here, and here is said who has it.

A claim is a file. Who holds it has locked it (flock), so that the system frees it when the last
process that may still be at work has ended, whatever was killed in whatever order; and has written
into it who that is, so that whoever finds it taken can be told after whom to wait. The lock decides
and the text explains: a text without a lock is what a dead holder has left.

The stage runner imports this module, so it needs to start fast: os and fcntl only.
"""

from __future__ import annotations

import fcntl
import os
import time

from sweepmake.runs import records
from sweepmake.runs.batch_job import batch_job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Claim", "Holder", "is_alive", "this_process"]

_LONGEST = 4096  # bytes of what a claim says of its holder
_PAUSE_S = 0.02  # between two looks at a claim that is taken, but does not say yet by whom
_LOOKS = 10


class Holder:
    """The process that holds a claim.

    Attributes:
        what: what it does, in the user's words ("snakemake --cores 4", "train of Norm_new").
        host: the machine.
        pid: the process; 0 where it is not known.
        start: when the process started, in a form that tells it from another one that has got the
            same number since; "" where the system does not say.
        job: the batch system's job that it is in, "" for none.
        since: when it took the claim, in seconds since the epoch.
    """

    __slots__ = ("host", "job", "pid", "since", "start", "what")

    def __init__(
        self,
        what: str = "",
        host: str = "",
        pid: int = 0,
        start: str = "",
        job: str = "",
        since: float = 0.0,
    ) -> None:
        self.what = what
        self.host = host
        self.pid = pid
        self.start = start
        self.job = job
        self.since = since

    def to_text(self) -> str:
        """Return it as a claim's file has it: one line of JSON."""
        return records.to_json({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def of_text(cls, text: str) -> Holder:
        """Return the holder that a claim's file names, as far as it does.

        The last version wrote a bare process number, or nothing.
        """
        if text.strip().isdigit():
            return cls(pid=int(text))
        if not text.startswith("{"):
            return cls()
        import json  # seldom: only where a claim is taken already

        try:
            found = json.loads(text)
            return cls(
                what=str(found["what"]),
                host=str(found["host"]),
                pid=int(found["pid"]),
                start=str(found["start"]),
                job=str(found["job"]),
                since=float(found["since"]),
            )
        except (ValueError, KeyError, TypeError):
            return cls()  # it is being written at this moment

    def __str__(self) -> str:
        """Say who it is: "process 4711 on gpu3 (job 815), since 14:02"."""
        words = f"process {self.pid}" if self.pid else "another process"
        if self.host and self.host != os.uname().nodename:
            words += f" on {self.host}"
        if self.job:
            words += f" (job {self.job})"
        if self.since:
            day = "%H:%M" if time.time() - self.since < 43200 else "%d %b %H:%M"
            words += f", since {time.strftime(day, time.localtime(self.since))}"
        return words


def this_process(what: str, environment: Mapping[str, str], pid: int = 0) -> Holder:
    """Return this process as the holder of what it is about to claim.

    Args:
        what: what it does, in the user's words.
        environment: says which batch job it is in.
        pid: another process that it has started, and that holds the claim too.
    """
    pid = pid or os.getpid()
    return Holder(
        what=what,
        host=os.uname().nodename,
        pid=pid,
        start=_start(pid),
        job=batch_job(environment) or "",
        since=round(time.time(), 3),
    )


def is_alive(holder: Holder) -> bool | None:
    """Return whether a holder's process lives; None where that cannot be known from here.

    That is so of processes of other hosts and of those that did not say when they started.
    """
    if not holder.pid or holder.host != os.uname().nodename:
        return None
    found = _start(holder.pid)
    if found and holder.start:
        return found == holder.start
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is somebody else's
    return None


class Claim:
    """The claim on one thing, which has a file of its own.

    Attributes:
        path: the file.
        file: its descriptor while the claim is held, else -1.
    """

    __slots__ = ("file", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.file = -1

    @property
    def is_held(self) -> bool:
        """Whether this process holds it."""
        return self.file >= 0

    def take(
        self, holder: Holder, to_text: Callable[[Holder], str] = Holder.to_text
    ) -> Holder | None:
        """Take the claim; return None, or who has it already.

        Args:
            holder: who takes it.
            to_text: how that is written into the file.

        Raises:
            OSError: the file cannot be opened or locked.
        """
        if self.is_held:
            return None
        looks = 0
        while True:
            file = self._open()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                other = _read(file)
                os.close(file)
                looks += 1
                if other.pid or looks == _LOOKS:
                    return other
                time.sleep(_PAUSE_S)
            except BaseException:
                os.close(file)
                raise
            else:
                if self._keep(file, to_text(holder)):
                    return None

    def wait(self, holder: Holder) -> None:
        """Take the claim, however long another process holds it."""
        while not self.is_held:
            file = self._open()
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except BaseException:
                os.close(file)
                raise
            self._keep(file, holder.to_text())

    def hand_down(self) -> None:
        """Let the processes that this one starts hold it too: it is free when all have ended."""
        os.set_inheritable(self.file, True)

    def tell(self, holder: Holder) -> None:
        """Say anew who holds it: the processes that have been started and hold it too.

        Where the disk is full, nobody is told: the claim is held all the same.
        """
        self._write(holder.to_text())

    def release(self) -> None:
        """Free it at once, also where a process left behind has inherited it."""
        if self.is_held:
            try:
                os.ftruncate(self.file, 0)
            finally:
                fcntl.flock(self.file, fcntl.LOCK_UN)
                os.close(self.file)
                self.file = -1

    def _open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def _keep(self, file: int, text: str) -> bool:
        """Keep a locked file; return False where it has been removed and is no claim any more."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            there = None
        locked = os.fstat(file)
        if there is None or (there.st_dev, there.st_ino) != (locked.st_dev, locked.st_ino):
            os.close(file)
            return False
        self.file = file
        self._write(text)
        return True

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")[:_LONGEST]
        try:
            os.ftruncate(self.file, 0)
            os.pwrite(self.file, data, 0)
        except OSError:
            return


def _read(file: int) -> Holder:
    return Holder.of_text(os.pread(file, _LONGEST, 0).decode("utf-8", "replace"))


def _start(pid: int) -> str:
    """Return when a process started: the boot, the clock ticks since; "" without /proc."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:
            boot = file.read(8).decode("ascii")
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # the name, in parentheses, may hold anything; the 20th field behind it is the start
            return f"{boot}-{file.read().rpartition(b')')[2].split()[19].decode('ascii')}"
    except (OSError, IndexError):
        return ""
