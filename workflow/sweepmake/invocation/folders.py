"""Who works on the folders of a sweep: the claims of a workflow on its output and its results.

The claim on a folder lies in it, so that it counts for all who reach the folder, from whatever
working folder and by whatever name.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.invocation.session import results_command
from sweepmake.plan import RECORDS
from sweepmake.runs.claims import Claim, Holder, without_locks

__all__ = ["FolderClaim", "SweepClaims", "output_claim", "results_claim"]

# no experiment's name begins with a dot, and so no folder in RECORDS does
_FILE = ".claim"


class FolderClaim:
    """The claim of a workflow on one folder.

    Attributes:
        folder: the folder, as the user names it.
        holder: who has the claim instead of this workflow; None where nobody has.
    """

    __slots__ = ("_claims", "_problem", "_words", "folder", "holder")

    def __init__(self, folder: str, words: str, last: Claim | None = None) -> None:
        """Name the claim; `take` takes it.

        Args:
            folder: the folder.
            words: what its holder does with the folder, and what a second one may do; {holder},
                {folder} and {command}, which makes the results, are filled in.
            last: where the last version keeps the same claim.
        """
        self.folder = folder
        self.holder: Holder | None = None
        claim = Claim(str(Path(folder, RECORDS, _FILE)))
        self._claims: list[tuple[Claim, Callable[[Holder], str]]] = [(claim, Holder.to_text)]
        if last:
            self._claims.append((last, _as_before))
        self._problem: OSError | None = None
        self._words = words

    @property
    def is_held(self) -> bool:
        """Whether this process has it: then nobody else who would claim it is alive."""
        return all(claim.is_held for claim, _ in self._claims)

    def take(self, holder: Holder) -> None:
        """Take the claim, or note why that is not possible: `require` tells those who need it.

        Args:
            holder: this process.
        """
        self.holder, self._problem = None, None
        for claim, to_text in self._claims:
            try:
                Path(claim.path).parent.mkdir(parents=True, exist_ok=True)
                self.holder = claim.take(holder, to_text)
            except OSError as error:
                self._problem = None if without_locks(error) else error
            if self.holder or self._problem:
                self.release()
                return

    def require(self) -> None:
        """Raise SweepmakeError where another one has the claim, or it cannot be taken."""
        if self.holder:
            raise SweepmakeError(
                self._words.format(
                    holder=f"another workflow ({self.holder})",
                    folder=self.folder,
                    command=results_command(sys.argv),
                )
            )
        if self._problem:
            raise SweepmakeError(
                f"the folder '{self.folder}' cannot be claimed: {in_words(self._problem)}"
            ) from self._problem

    def release(self) -> None:
        """Let others have it."""
        for claim, _ in self._claims:
            claim.release()


def _as_before(holder: Holder) -> str:
    """Return a holder as the last version writes and reads it."""
    return f"{holder.pid}\n"


def output_claim(output: str, notes: Path = Path(".snakemake")) -> FolderClaim:
    """Return the claim on the folder of the experiments: who holds it runs the sweep.

    Args:
        output: the folder.
        notes: the folder of Snakemake's notes. The last version keeps the claim there, and may be
            running.
    """
    name = hashlib.sha256(str(Path(output).absolute()).encode()).hexdigest()[:16]
    words = (
        "{holder} is running this sweep: its output folder is '{folder}'. Wait for its end, or see "
        "what there is so far ({command}), or run in another folder beside it "
        "(--config output=FOLDER results=FOLDER)"
    )
    return FolderClaim(output, words, Claim(str(notes / "sweepmake" / f"{name}.lock")))


def results_claim(results: str) -> FolderClaim:
    """Return the claim on the folder of the results: who holds it makes them, as it goes on."""
    words = (
        "{holder} is making the results in '{folder}'. Wait for its end, or have them made in "
        "another folder (--config results=FOLDER)"
    )
    return FolderClaim(results, words)


class SweepClaims:
    """The claims of a workflow on the folders of one sweep.

    Args:
        output: the folder of the experiments; None for logs that were made elsewhere.
        results: the folder of the results.
    """

    def __init__(self, output: str | None, results: str) -> None:
        self._output = output_claim(output) if output else None
        self._results = results_claim(results)

    @property
    def known(self) -> list[str]:
        """The folders of which it is known that no other living workflow has claimed them."""
        return [
            claim.folder
            for claim in (self._output, self._results)
            if claim and (claim.is_held or not Path(claim.folder).exists())
        ]

    @property
    def held(self) -> list[str]:
        """The folders that this workflow has claimed."""
        return [c.folder for c in (self._output, self._results) if c and c.is_held]

    @property
    def has_output(self) -> bool:
        """Whether this workflow has claimed the folder of the experiments."""
        return self._output is not None and self._output.is_held

    def take(self, holder: Holder) -> None:
        """Take what can be had; no folder is made for that, but the one of the experiments."""
        if self._output:
            self._output.take(holder)
        if Path(self._results.folder).exists():
            self._results.take(holder)

    def require(self, *, run: bool, make: bool) -> None:
        """Raise SweepmakeError where a claim that is needed cannot be had.

        Args:
            run: whether the sweep's jobs are to run.
            make: whether some of these make results.
        """
        for claim in self._needed(run=run, make=make):
            claim.require()

    def settle(self, holder: Holder, *, run: bool, make: bool) -> None:
        """Have the claims that are needed, and no others.

        Raises:
            SweepmakeError: one cannot be had.
        """
        needed = self._needed(run=run, make=make)
        for claim in (self._output, self._results):
            if claim and claim not in needed:
                claim.release()
        for claim in needed:
            if not claim.is_held:
                claim.take(holder)
        self.require(run=run, make=make)

    def release(self) -> None:
        """Let others have them."""
        for claim in (self._output, self._results):
            if claim:
                claim.release()

    def _needed(self, *, run: bool, make: bool) -> list[FolderClaim]:
        output = [self._output] if self._output and run else []
        return output + ([self._results] if make else [])
