"""How the figures look: colours, lines, text that fits, and a PDF whose pages share a header.

No pyplot, no global state: a Book sets its own rc parameters and puts the caller's back.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from sweepmake.outputs.drawing.page import DASHED, DOTTED, POINTS, SOLID, Align, Dashes, Page
from sweepmake.outputs.drawing.text import cut_middle
from sweepmake.params.naming import Value
from sweepmake.replacing import replacing

__all__ = [
    "ACCENT",
    "COLOURS",
    "GREY",
    "HEIGHT",
    "INK",
    "WIDTH",
    "Book",
    "Look",
    "cut",
    "look",
    "parameter_lines",
    "plain",
    "wrapped",
]

# Okabe and Ito's palette (jfly.uni-koeln.de/color), dark ones first, without its yellow, which
# nobody sees on white; grey takes its place.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#8A8A8A")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
INK, GREY, ACCENT = "#222222", "#666666", "#D55E00"

WIDTH, HEIGHT = 11.69, 8.27  # inches: A4, landscape
_MARGIN = 0.45  # inches
_PARAMETER_LINES = 3
_CHARACTER = 0.57  # mean width of a DejaVu Sans character, in its size; a careful guess

_RC: Mapping[str, object] = {
    "font.family": ["DejaVu Sans"],
    "path.simplify": True,
    "pdf.compression": 6,
    "pdf.fonttype": 42,  # TrueType: the text can be searched and copied
    "pdf.use14corefonts": False,
    "text.usetex": False,
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one of several lines is told from the others, in grey too."""

    colour: str
    dashes: Dashes
    marker: str
    filled: bool


def look(at: int) -> Look:
    """Return the look of the line with this place, from 0: sixteen differ in shape and colour."""
    turn = at // len(COLOURS)
    style = (SOLID, DASHED, DOTTED)[turn % 3]
    return Look(COLOURS[at % len(COLOURS)], style, _MARKERS[at % len(_MARKERS)], turn % 2 == 0)


def plain(text: object) -> str:
    """Return text on one line that any PDF can hold."""
    line = " ".join(str(text).split())
    line = "".join(
        letter if letter.isprintable() else "\N{INVERTED QUESTION MARK}" for letter in line
    )
    return line.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, inches: float, size: float) -> str:
    """Return text, shortened in its middle if it would be wider than that at this font size."""
    most = max(8, int(inches * 72 / (size * _CHARACTER)))
    # three dots, not an ellipsis: a character beyond Latin-1 makes a second font in every PDF
    return cut_middle(text, most, "...")


def wrapped(words: Iterable[str], inches: float, size: float, lines: int) -> tuple[list[str], int]:
    """Return (lines of whole words, how many words were left over).

    Args:
        words: what must not be broken; a longer one than a line is cut.
        inches, size: width of a line, font size in points.
        lines: how many there may be.
    """
    most = int(inches * 72 / (size * _CHARACTER))
    found: list[str] = []
    left = list(words)
    while left:
        word = cut(left[0], inches, size)
        if found and len(found[-1]) + 1 + len(word) <= most:
            found[-1] += " " + word
        elif len(found) < lines:
            found.append(word)
        else:
            break
        left.pop(0)
    return found, len(left)


def parameter_lines(parameters: Mapping[str, Value], inches: float, size: float) -> list[str]:
    """Return the parameters as a few lines, `lr=0.1,  bs=32 ... and 12 more`."""
    last = len(parameters) - 1
    words = [
        f"{cut(plain(name), 2.5, size)}={cut(plain(value), 3.5, size)}" + ("," if at < last else "")
        for at, (name, value) in enumerate(parameters.items())
    ]
    # a little is kept free for "... and 12 more"
    lines, left = wrapped(words, inches - 1.0, size, _PARAMETER_LINES)
    if left:
        lines[-1] += f" ... and {left} more"
    return lines


class Book:
    """A PDF whose pages carry the experiment's name and parameters; whole, or not there at all.

    Use it in a `with`: leaving it puts the file in place, an exception leaves what was there.

    Args:
        path: the file.
        title: the experiment's name.
        parameters: the experiment's parameters, for the headers and the metadata.
        subject: what the document shows.
    """

    def __init__(
        self, path: Path, *, title: str, parameters: Mapping[str, Value], subject: str
    ) -> None:
        self.pages = 0
        self._path = path
        self._title = plain(title)
        self._lines = parameter_lines(parameters, WIDTH - 2 * _MARGIN, 7.5)
        self._metadata = {
            "Title": self._title,
            "Subject": subject,
            "Keywords": ", ".join(f"{plain(k)}={plain(v)}" for k, v in parameters.items()),
            "Creator": "Sweepmake",
            "CreationDate": None,  # the same results give the same document
        }
        self._stack = ExitStack()

    def __enter__(self) -> Book:
        stack = self._stack
        partial = stack.enter_context(replacing(self._path))
        stack.enter_context(matplotlib.rc_context(dict(_RC)))  # type: ignore[arg-type]
        stack.enter_context(warnings.catch_warnings())
        # a name in a script that the font does not have is drawn as boxes; that is all to be said
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._pdf = PdfPages(partial, metadata=self._metadata)
        stack.callback(self._pdf.close)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def page(self, heading: str, notes: Sequence[str] = ()) -> Page:
        """Return a new page with its header; add() it when it is drawn.

        Args:
            heading: what the page shows.
            notes: lines for its foot.
        """
        page = Page()
        for x, y, text, size, colour, align in self._texts(heading, notes):
            page.text(x * POINTS, y * POINTS, text, size=size, colour=colour, align=align)
        return page

    def figure(self, heading: str, notes: Sequence[str] = ()) -> Figure:
        """Return a new page like page(), for axes of matplotlib; add_figure() it when drawn."""
        figure = Figure(figsize=(WIDTH, HEIGHT))
        for x, y, text, size, colour, align in self._texts(heading, notes):
            figure.text(x / WIDTH, y / HEIGHT, text, size=size, color=colour, ha=align)
        return figure

    def _texts(
        self, heading: str, notes: Sequence[str]
    ) -> list[tuple[float, float, str, float, str, Align]]:
        """Return a page's own texts: (x, y of the baseline in inches, text, size, colour, side)."""
        self.pages += 1
        width = WIDTH - 2 * _MARGIN
        lines = [
            (HEIGHT - 0.45, cut(self._title, width, 13), 13.0, INK),
            (HEIGHT - 0.70, cut(heading, width, 10), 10.0, INK),
        ]
        for at, line in enumerate(self._lines):
            lines.append((HEIGHT - 0.90 - 0.14 * at, line, 7.5, GREY))
        for at, line in enumerate(reversed(notes)):
            lines.append((0.28 + 0.14 * at, cut(line, width - 0.8, 7.5), 7.5, GREY))
        texts: list[tuple[float, float, str, float, str, Align]] = [
            (_MARGIN, y, text, size, colour, "left") for y, text, size, colour in lines
        ]
        number = f"page {self.pages}"
        return [*texts, (WIDTH - _MARGIN, 0.28, number, 7.5, GREY, "right")]

    def add(self, page: Page) -> None:
        """Write a page."""
        figure = Figure(figsize=(WIDTH, HEIGHT))
        figure.add_artist(page)
        self.add_figure(figure)

    def add_figure(self, figure: Figure) -> None:
        """Write a page that was made by figure()."""
        self._pdf.savefig(figure)  # type: ignore[no-untyped-call]
