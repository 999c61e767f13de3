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

__all__ = [
    "Claim",
    "Holder",
    "holder_of",
    "is_alive",
    "sign",
    "this_process",
    "without_locks",
]

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
        _write(self.file, text)


def _write(file: int, text: str) -> None:
    """Write into a locked file who holds it; where the disk is full, nobody is told."""
    data = text.encode("utf-8", "backslashreplace")[:_LONGEST]
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, data, 0)
    except OSError:
        return


def sign(file: int, holder: Holder, head: str = "") -> None:
    """Write into a locked file who holds it.

    Args:
        file: the file.
        holder: the holder.
        head: what stands in the file before that.
    """
    _write(file, head + holder.to_text())


def without_locks(error: OSError) -> bool:
    """Return whether an error says that the file system has no locks: then nothing is claimed."""
    import errno  # seldom

    return error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def holder_of(file: int, head: int = 0) -> Holder:
    """Return who holds a file that is locked; what it does not say itself, the system does.

    Args:
        file: the open file.
        head: how many bytes stand in it before what it says of its holder.
    """
    holder = _read(file, head)
    return holder if holder.pid else _known_to_the_system(file)


def _known_to_the_system(file: int) -> Holder:
    """Return the process that has locked a file, as Linux lists it: "FLOCK … 4711 00:1a:77 …"."""
    found = os.fstat(file)
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as locks:
            listed = [line.split() for line in locks]
    except OSError:
        return Holder()
    for fields in listed:
        if fields[1:2] == ["FLOCK"] and fields[5:6] == [device]:
            pid = int(fields[4])
            try:
                what = f"what runs in {os.readlink(f'/proc/{pid}/cwd')}"
            except OSError:
                what = ""  # it is somebody else's, or has ended and left the lock to a child
            return Holder(what=what, host=os.uname().nodename, pid=max(pid, 0))
    return Holder()


def _read(file: int, head: int = 0) -> Holder:
    return Holder.of_text(os.pread(file, _LONGEST, head).decode("utf-8", "replace"))


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
