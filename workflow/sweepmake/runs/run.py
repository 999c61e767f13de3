"""One run, as the workflow asks the stage runner for it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Run"]


class Run:
    """One stage of one experiment, as the workflow asks for it.

    Attributes:
        stage: the stage's name.
        experiment: the experiment's name.
        number: its place in the sweep and the sweep's size, "3/16".
        gpu: how many slots it takes; 0 for a stage that sees no GPU.
        folder: where `param`, `stat` and the logs go: the experiment's folder.
        records: the folder of the run's records and marker.
        log: the file that keeps what the stage runner itself said.
        quiet: whether it says that to the file alone, and not on the terminal.
        suffix: "" or, where experiments share a folder, "." and the experiment's name.
        after: the markers of the stages before it, the nearest first.
        later: the markers of the stages after it.
        parameters: the YAML text of `param`, without `_time` and `_scripts`.
        pieces: the command, cut where the time goes in.
        resumed: the same where an earlier attempt is resumed; [] where none is.
        options: all that it was told, for what only some runs ask for (`watch`).
        noted: what its record holds because of that.
    """

    __slots__ = ("after", "experiment", "folder", "gpu", "later", "log", "noted", "number",
                 "options", "parameters", "pieces", "quiet", "records", "resumed", "stage",
                 "suffix")  # fmt: skip

    def __init__(self, options: Mapping[str, str], pieces: list[str]) -> None:
        self.stage = options["stage"]
        self.experiment = options["experiment"]
        self.number = options["number"]
        self.gpu = int(options["gpu"])
        self.folder = options["folder"]
        self.records = options["records"]
        self.log = options["log"]
        self.quiet = False
        self.suffix = options.get("suffix", "")
        self.after = [m for m in options.get("after", "").split("\n") if m]
        self.later = [m for m in options.get("later", "").split("\n") if m]
        self.parameters = options["parameters"]
        self.pieces = pieces
        self.resumed: list[str] = []
        self.options = options
        self.noted: dict[str, object] = {}

    @property
    def fingerprint(self) -> str:
        """The filled command less what changes from one invocation to the next."""
        return "{_time}".join(self.pieces)

    def record_path(self, ending: str) -> str:
        """The path of one of the run's own files: lock, json, exit or done."""
        return f"{self.records}/{self.stage}.{ending}"

    @property
    def place(self) -> str:
        """Which run it is, in words for the user."""
        return f"{self.stage}: {self.number}, {self.folder}" + (
            self.suffix and f"  {self.experiment}"
        )
