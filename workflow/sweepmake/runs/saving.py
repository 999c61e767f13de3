"""Writes files so that they are on the disk, and says no only when all has been tried.

A file that is written anew under another name and renamed is whole, whatever is killed; after a
power cut it is so only if what was written has reached the disk before the renaming. Several files
go together: the system then writes its journal once for all of them.
"""

from __future__ import annotations

import os

from sweepmake.runs import records

__all__ = ["Saving"]


class Saving:
    """Files that are to be on the disk together.

    Attributes:
        problem: the first no of the system, None where all went well so far.
    """

    __slots__ = ("_files", "_folders", "_renames", "problem")

    def __init__(self) -> None:
        self.problem: OSError | None = None
        self._files: list[int] = []
        self._renames: list[tuple[str, str, str]] = []
        self._folders: dict[str, None] = {}

    def replace(self, path: str, text: str, temporary: str = "", *, over: bool = True) -> None:
        """Replace a file, or make it.

        Args:
            path: the file.
            text: its new content.
            temporary: as for `records.write_atomically`.
            over: whether, where that cannot be, to write over what is there.
        """
        temporary = temporary or f"{path}.tmp"
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            self._files.append(file)
            records.write_all(file, text, path)
        except OSError as error:
            self._fail(error)
            records.remove(temporary)
            if over:
                records.write_over(path, text)
            return
        self._renames.append((temporary, path, text))

    def append(self, path: str, line: str) -> None:
        """Append one line."""
        try:
            self._files.append(records.open_appended(path, line))
        except OSError as error:
            self._fail(error)

    def keep(self, path: str) -> None:
        """See to it that what is in a file already is on the disk, if the file is there."""
        try:
            self._files.append(os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            return  # the command has removed it
        except OSError as error:
            self._fail(error)

    def commit(self) -> None:
        """Put all of it on the disk, then the names of what was replaced."""
        for file in self._files:  # all begin before the first is waited for
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        for file in self._files:
            self._sync(file)
        for temporary, path, text in self._renames:
            try:
                os.replace(temporary, path)
            except OSError as error:
                self._fail(error)
                records.write_over(path, text)
            self._folders[os.path.dirname(path)] = None
        for folder in self._folders:
            try:
                self._sync(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
            except OSError as error:
                self._fail(error)

    def _sync(self, file: int) -> None:
        try:
            os.fsync(file)
        except OSError as error:
            import errno

            # some file systems have no such thing (man fsync); then nothing more can be done
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS):
                self._fail(error)
        finally:
            os.close(file)

    def _fail(self, error: OSError) -> None:
        self.problem = self.problem or error
