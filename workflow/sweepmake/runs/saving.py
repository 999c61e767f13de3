"""Writes files so that they are on the disk, and says no only when all has been tried.

A file that is written anew under another name and renamed is whole, whatever is killed; after a
power cut it is so only if what was written has reached the disk before the renaming. Several files
go together: the system then writes its journal once for all of them.
"""

from __future__ import annotations

import os

from sweepmake.runs import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Saving"]


class Saving:
    """Files that are to be on the disk together.

    Attributes:
        problem: the first no of the system, None where all went well so far.
    """

    __slots__ = ("_conclusion", "_files", "_folders", "_lost", "_renames", "problem")

    def __init__(self) -> None:
        self.problem: OSError | None = None
        self._files: list[tuple[int, str]] = []
        self._renames: list[tuple[str, str, str, bool]] = []
        self._folders: dict[str, None] = {}
        self._lost: set[str] = set()
        self._conclusion = ""

    def replace(self, path: str, text: str, temporary: str = "", *, over: bool = True) -> None:
        """Replace a file, or make it.

        Args:
            path: the file.
            text: its new content.
            temporary: as for `records.write_atomically`.
            over: whether, where that cannot be, to write over what is there.
        """
        temporary = temporary or f"{path}.tmp"
        self._renames.append((temporary, path, text, over))
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            file = self._open(temporary, lambda: os.open(temporary, flags, 0o666))
            records.write_all(file, text, path)
        except OSError as error:
            self._lose(temporary, error)
            return
        _begin(file)

    def conclude(self, path: str, text: str) -> None:
        """Replace a file last, and only where all went well: it stands for all the others."""
        self.replace(path, text, over=False)
        self._conclusion = path

    def append(self, path: str, line: str) -> None:
        """Append one line."""
        try:
            file = self._open(path, lambda: records.open_appended(path, line))
        except OSError as error:
            self._fail(error)
            return
        _begin(file)

    def keep(self, path: str) -> None:
        """See to it that what is in a file already is on the disk, if the file is there."""
        try:
            self._open(path, lambda: os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            return  # the command has removed it
        except OSError as error:
            self._fail(error)

    def commit(self) -> None:
        """Put all of it on the disk, then the names of what was replaced."""
        self._sync_files()
        for temporary, path, text, over in self._renames:
            if path == self._conclusion and self.problem:
                self._lost.add(temporary)
            if temporary not in self._lost:
                try:
                    os.replace(temporary, path)
                except OSError as error:
                    self._lose(temporary, error)
            if temporary in self._lost:
                records.remove(temporary)
                if over:
                    records.write_over(path, text)
            self._folders[os.path.dirname(path)] = None
        for folder in self._folders:
            try:
                file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                self._fail(error)
            else:
                self._sync(file, folder)

    def _open(self, path: str, open_file: Callable[[], int]) -> int:
        """Open a file and keep it for the commit; where it cannot be, once more with less open."""
        try:
            file = open_file()
        except OSError:
            if not self._files:
                raise
            self._sync_files()  # it may be file descriptors that are short
            file = open_file()
        self._files.append((file, path))
        return file

    def _sync_files(self) -> None:
        for file, path in self._files:
            self._sync(file, path)
        self._files = []

    def _sync(self, file: int, path: str) -> None:
        try:
            os.fsync(file)
        except OSError as error:
            import errno

            # some file systems have no such thing (man fsync); then nothing more can be done
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS):
                error.filename = path
                self._lose(path, error)
        finally:
            os.close(file)

    def _lose(self, temporary: str, error: OSError) -> None:
        """Give up a file that is not whole."""
        self._lost.add(temporary)
        self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.problem = self.problem or error


def _begin(file: int) -> None:
    """Let the system begin to write a file out, so that several are written at the same time."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
