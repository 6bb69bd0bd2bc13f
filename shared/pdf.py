"""Pages of A4 in Vietnamese, as PDF: fonts of our own, no clock, no random id, so the same input makes the
same bytes.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from shared.off_hub import off_hub

FONTS = Path(__file__).with_name("fonts")
REGULAR, BOLD, ITALIC = "Tinos-Regular", "Tinos-Bold", "Tinos-Italic"
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
WIDTH, HEIGHT = A4
LEFT, RIGHT, MIDDLE = 22 * mm, WIDTH - 18 * mm, WIDTH / 2
SIZE, LEADING = 12, 16.5


def load_fonts() -> None:
    """Make the fonts known to reportlab; again does nothing."""
    for name in (REGULAR, BOLD, ITALIC):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(FONTS / f"{name}.ttf")))


def written(title: str, subject: str, write: Callable[[Page], None]) -> bytes:
    """One page, as ``write`` writes it."""
    load_fonts()
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1, pageCompression=1, lang="vi")
    canvas.setTitle(title)
    canvas.setAuthor("Bảo hiểm xã hội Việt Nam")
    canvas.setSubject(subject)
    canvas.setCreator("VssID")
    write(Page(canvas))
    canvas.showPage()
    canvas.save()
    return out.getvalue()


class Printer:
    """Makes PDFs in a native thread, one after the other: reportlab's fonts do not bear two at once."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def pdf(self, make: Callable[..., bytes], *arguments: object) -> bytes:
        """What ``make`` makes of them."""
        with self._turn:
            made: bytes = off_hub(make, *arguments)
            return made


class Page:
    """A canvas written from the top down. ``y`` is the base of the next line, in points."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.y = HEIGHT - 20 * mm

    def centred(self, x: float, text: str, font: str = REGULAR, size: float = SIZE) -> None:
        self.canvas.setFont(font, size)
        self.canvas.drawCentredString(x, self.y, text)

    def down(self, lines: float = 1.0) -> None:
        self.y -= lines * LEADING

    def rule(self, x: float, length: float) -> None:
        self.canvas.line(x - length / 2, self.y + LEADING * 0.55, x + length / 2, self.y + LEADING * 0.55)

    def paragraph(self, text: str, font: str = REGULAR, size: float = SIZE) -> None:
        """A text over the whole width, wrapped."""
        for line in wrapped(text, font, size, RIGHT - LEFT):
            self.canvas.setFont(font, size)
            self.canvas.drawString(LEFT, self.y, line)
            self.down()

    def row(self, number: int, label: str, value: str) -> None:
        """A numbered line of the form: the label, then the value in bold, wrapped beside it."""
        written = f"[{number:02d}] {label}: "
        self.canvas.setFont(REGULAR, SIZE)
        self.canvas.drawString(LEFT, self.y, written)
        at = LEFT + pdfmetrics.stringWidth(written, REGULAR, SIZE)
        for line in wrapped(value, BOLD, SIZE, RIGHT - at):
            self.canvas.setFont(BOLD, SIZE)
            self.canvas.drawString(at, self.y, line)
            self.down()


def wrapped(text: str, font: str, size: float, width: float) -> Iterator[str]:
    """The text in lines of at most ``width`` points, broken at spaces, a longer word within itself."""
    line = ""
    for word in unicodedata.normalize("NFC", text).split():
        for part in pieces(word, font, size, width):
            longer = f"{line} {part}".strip()
            if line and pdfmetrics.stringWidth(longer, font, size) > width:
                yield line
                line = part
            else:
                line = longer
    yield line


def pieces(word: str, font: str, size: float, width: float) -> Iterator[str]:
    """The word, or its parts where it is wider than a line."""
    part = ""
    for letter in word:
        if part and pdfmetrics.stringWidth(part + letter, font, size) > width:
            yield part
            part = ""
        part += letter
    yield part


def draw_qr(canvas: Canvas, text: str, x: float, y: float, size: float) -> None:
    """A QR code, ``size`` points square, as vectors."""
    matrix = segno.make_qr(text, error="m").matrix
    step = size / len(matrix)
    path = canvas.beginPath()
    for row, modules in enumerate(reversed(matrix)):
        for column, is_dark in enumerate(modules):
            if is_dark:
                path.rect(x + column * step, y + row * step, step, step)
    canvas.drawPath(path, stroke=0, fill=1)


def moment(at: datetime) -> str:
    """``09:00 ngày 02/03/2026``, in Vietnam."""
    return f"{at.astimezone(VIETNAM):%H:%M ngày %d/%m/%Y}"
