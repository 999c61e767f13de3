"""The workbook as a file: openpyxl makes everything but the rows, which are streamed into it.

openpyxl needs about fifty microseconds per cell and, but for its write-only mode, keeps them all in
memory. Here it saves a workbook of empty sheets, with their styles, panes, widths and filters; the
rows and the links are written where they belong in its XML (ECMA-376, part 1, 18.3.1).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sweepmake.errors import SweepmakeError

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["SheetContent", "save_book"]

_COMPRESSION = 3  # half the time of zip's usual 6, for a file some percent larger
_CHUNK = 1 << 18  # characters
_FRAME = re.compile(  # what stands around the extent, the rows and the links of an empty sheet
    r"(?P<head>.*<dimension )ref=\"[^\"]*\"(?P<settings>.*?)"
    r"(?:<sheetData ?/>|<sheetData></sheetData>)"
    r"(?P<filters>.*?)(?P<page><pageMargins.*)",
    re.DOTALL,
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


@dataclass(slots=True)
class SheetContent:
    """What is streamed into a sheet.

    Attributes:
        sheet: the sheet, without rows.
        rows: XML of its rows, one after the other.
        extent: the cells that they take, "A1:AF1001".
        links: (cell, target) of its links; complete when the rows have been written.
    """

    sheet: Worksheet
    rows: Iterable[str]
    extent: str
    links: list[tuple[str, str]] = field(default_factory=list)


def save_book(
    book: Workbook, contents: Iterable[SheetContent], path: Path, *, now: datetime
) -> None:
    """Write a workbook.

    Args:
        book: all its sheets, without rows.
        contents: the rows of each.
        path: the file.
        now: when this happens, for the file's properties.

    Raises:
        OSError: it cannot be written.
    """
    book.properties.creator = "Sweepmake"
    book.properties.created = book.properties.modified = now.replace(tzinfo=None)
    frame = io.BytesIO()
    book.save(frame)
    by_part = {content.sheet.path.lstrip("/"): content for content in contents}
    with ZipFile(frame) as source, _archive(path) as target:
        for part in source.namelist():
            data = source.read(part)
            if part in by_part:
                _write_sheet(target, part, data.decode("utf-8"), by_part[part], now)
            else:
                target.writestr(_entry(part, now), data, compresslevel=_COMPRESSION)


def _archive(path: Path) -> ZipFile:
    return ZipFile(path, "w", ZIP_DEFLATED, allowZip64=True, compresslevel=_COMPRESSION)


def _entry(part: str, now: datetime) -> ZipInfo:
    """Return a part's entry; a zip file knows no year before 1980."""
    entry = ZipInfo(part, max(now.timetuple()[:6], (1980, 1, 1, 0, 0, 0)))
    entry.compress_type = ZIP_DEFLATED
    return entry


def _write_sheet(
    target: ZipFile, part: str, frame: str, content: SheetContent, now: datetime
) -> None:
    """Write a sheet: what openpyxl made, with the rows and the links put in."""
    found = _FRAME.fullmatch(frame)
    if found is None:
        raise SweepmakeError(f"openpyxl wrote a sheet in an unknown way: {frame[:2000]}")
    head, settings, filters, page = found.group("head", "settings", "filters", "page")
    with target.open(_entry(part, now), "w", force_zip64=True) as stream:
        stream.write(f'{head}ref="{content.extent}"{settings}<sheetData>'.encode())
        for chunk in _chunks(content.rows):
            stream.write(chunk.encode())
        stream.write(f"</sheetData>{filters}".encode())
        for chunk in _chunks(_links(content.links)):
            stream.write(chunk.encode())
        stream.write(page.encode())
    if content.links:
        folder, _, name = part.rpartition("/")
        relations = _entry(f"{folder}/_rels/{name}.rels", now)
        with target.open(relations, "w", force_zip64=True) as stream:
            for chunk in _chunks(_relations(content.links)):
                stream.write(chunk.encode())


def _chunks(texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts in larger pieces: each write to an archive costs."""
    pieces: list[str] = []
    size = 0
    for text in texts:
        pieces.append(text)
        size += len(text)
        if size > _CHUNK:
            yield "".join(pieces)
            pieces.clear()
            size = 0
    yield "".join(pieces)


def _links(links: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the XML that says which cells are links."""
    if not links:
        return
    yield f'<hyperlinks xmlns:r="{_OFFICE}">'
    for number, (reference, _) in enumerate(links, 1):
        yield f'<hyperlink ref="{reference}" r:id="rId{number}" />'
    yield "</hyperlinks>"


def _relations(links: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the XML of the links' targets, which are percent-encoded."""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<Relationships xmlns="{_PACKAGE}">'
    for number, (_, target) in enumerate(links, 1):
        yield (
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/hyperlink" '
            f'Target="{target}" TargetMode="External" />'
        )
    yield "</Relationships>"
