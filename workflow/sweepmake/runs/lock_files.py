"""The folders and files of the locks on GPUs, opened so that nobody else can have a hand in them.

The folders lie where everybody may write. So somebody else could make one first, with links in it
that would be written through, or hold its files locked for ever: a folder of ours is a real one,
belongs to us, is closed to all others, and neither it nor a file in it is reached through a link.

The locks lie in several places at a time, since none is safe from being cleaned: systemd removes
what a user has in /dev/shm and XDG_RUNTIME_DIR when the last session ends (RemoveIPC), and what has
grown old in /tmp. A lease is taken in all places that can be used. So two sweeps meet as long as
they have one place in common, whatever else one of them lacks: a batch job, XDG_RUNTIME_DIR.

The stage runner imports this module, so it needs to start fast: os, stat, fcntl and time only.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time

from sweepmake.runs.claims import holder_of
from sweepmake.runs.waiting import held_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Folder", "Site", "lock_places", "try_lock"]

GUARD_S = 2.0
_PAUSE_S = 0.001  # between two looks at a guard
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NOT_PERMITTED = 1  # errno.EPERM; errno would be one more import


class Folder:
    """A folder of lock files, kept open: its files are found in it whatever its path has become.

    Attributes:
        path: where it is.
        guard: the open file that is locked while its locks are looked at and taken.
    """

    __slots__ = ("_file", "_is_private", "guard", "path")

    def __init__(self, path: str, inside: Folder | None = None) -> None:
        """Open a folder, made where there is none.

        Args:
            path: the folder. One named as `lock_places` does has to be ours alone; what the user
                has named, or lies in the output folder, is taken as it is.
            inside: the folder in which it lies; `path` is a plain name then.

        Raises:
            OSError: there is no such folder, or it is not ours.
        """
        self._is_private: bool = inside._is_private if inside else path.endswith(_own_name())
        self.path: str = f"{inside.path}/{path}" if inside else path
        self._file: int
        if inside or self._is_private:
            self._file = _open_real(path, inside._file if inside else None)
        else:
            os.makedirs(path, mode=0o700, exist_ok=True)
            self._file = os.open(path, _FOLDER)
        try:
            if self._is_private:
                self._check()
            self.guard = self.open("guard", make=True)
        except BaseException:
            os.close(self._file)
            raise

    def _check(self) -> None:
        found = os.fstat(self._file)
        if found.st_uid != os.geteuid():
            raise PermissionError(_NOT_PERMITTED, "it belongs to somebody else", self.path)
        if stat.S_IMODE(found.st_mode) != 0o700:  # the last version could leave it open to all
            os.fchmod(self._file, 0o700)

    def open(self, name: str, *, make: bool) -> int:
        """Open a lock file; return its descriptor.

        Args:
            name: the file.
            make: whether it is made where there is none.

        Raises:
            FileNotFoundError: there is none, and none is to be made.
            OSError: it is a link, or else no plain file of ours.
        """
        file = os.open(name, _OPEN | (os.O_CREAT if make else 0), 0o600, dir_fd=self._file)
        found = os.fstat(file)
        if (
            stat.S_ISREG(found.st_mode)
            and found.st_nlink <= 1  # another name of it could be any file of ours
            and (found.st_uid == os.geteuid() or not self._is_private)
        ):
            return file
        os.close(file)
        raise PermissionError(_NOT_PERMITTED, "it is no file of ours", f"{self.path}/{name}")

    def close(self) -> None:
        """Let go of the folder and its guard; other files of it stay open."""
        os.close(self.guard)
        os.close(self._file)


class Site:
    """All folders in which the lock files of some cards lie.

    Args:
        places: one path a line, in the order in which all sweeps lock them. As many are used as
            can be: each has the same locks.
        inside: the names of the folders within each of them that are used, too.

    Raises:
        OSError: none of the places can be used.
    """

    __slots__ = ("_folders",)

    def __init__(self, places: str, inside: Iterable[str]) -> None:
        self._folders: list[tuple[str, Folder]] = []
        problem: OSError | None = None
        for path in places.split("\n"):
            there = len(self._folders)
            try:
                self._folders.append(("", Folder(path)))
                for name in inside:
                    self._folders.append((name, Folder(name, self._folders[there][1])))
            except OSError as error:
                problem = problem or error
                self._close(there)
        if problem is not None and not self._folders:
            raise problem

    def guard(self) -> str:
        """Lock the guards of all folders; return "", or what is to be said of one that is taken.

        A guard is held for less than a millisecond: who has it for longer has been stopped.
        """
        ends = time.monotonic() + GUARD_S
        for _, folder in self._folders:
            while not try_lock(folder.guard):
                if time.monotonic() > ends:
                    who = held_by(holder_of(folder.guard))
                    return f"{folder.path}/guard is {who}, which should have it for a moment only"
                time.sleep(_PAUSE_S)
        return ""

    def bases(self, key: str) -> list[tuple[Folder, str]]:
        """Return the folder and the beginning of the names of the files of a key, for all places.

        Args:
            key: a name, behind that of the folder within the place, if there is one.
        """
        inside, _, name = key.rpartition("/")
        return [(folder, f"gpu.{name}.") for sub, folder in self._folders if sub == inside]

    def close(self) -> None:
        """Let go of the folders; who holds their guards does not any more."""
        self._close(0)

    def _close(self, first: int) -> None:
        for _, folder in self._folders[first:]:
            folder.close()
        del self._folders[first:]


def _open_real(path: str, inside: int | None) -> int:
    """Open a folder that is no link, made where there is none."""
    if inside is None:
        _check_parent(path.rpartition("/")[0] or "/")
    try:  # noqa: SIM105 - contextlib is slow to import
        os.mkdir(path, 0o700, dir_fd=inside)
    except FileExistsError:
        pass  # whose it is, is seen when it is open
    return os.open(path, _FOLDER | os.O_NOFOLLOW, dir_fd=inside)


def try_lock(file: int, *, shared: bool = False) -> bool:
    """Lock an open file; return False where somebody else has it."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_places(
    environment: Mapping[str, str], roots: tuple[str, str] = ("/dev/shm", "/tmp")
) -> tuple[list[str], list[str]]:
    """Return the places where this user's locks on this machine lie, and what is wrong with others.

    The temporary folder is /tmp, and not TMPDIR, which is another one in each batch job.

    Args:
        environment: XDG_RUNTIME_DIR, which systemd has under /run/user for the sessions that do
            not say so; SWEEPMAKE_LOCK_FOLDER is the only place where it is set.
        roots: the shared memory and the temporary folder.

    Returns:
        The places, and one line for each that cannot be used.
    """
    if given := environment.get("SWEEPMAKE_LOCK_FOLDER"):
        candidates = [os.path.realpath(given)]
    else:
        runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
        candidates = [root.rstrip("/") + _own_name() for root in (roots[0], runtime, roots[1])]
    usable, problems = [], []
    for path in candidates:
        try:
            Folder(path).close()
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
        else:
            usable.append(path)
    return usable, problems


def _own_name() -> str:
    return f"/sweepmake-{os.getuid()}"


def _check_parent(path: str) -> None:
    """Raise PermissionError where others could rename what we have there."""
    mode = os.stat(path).st_mode
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise PermissionError(_NOT_PERMITTED, "others may rename what is in its folder", path)
