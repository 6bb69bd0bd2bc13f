"""The electronic declaration as a citizen would recognise it: one page of A4, in Vietnamese, with the QR of
its number. The same bytes for the same declaration: no clock, no random id, fonts of our own.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
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

from services.registration.declaration import Birth, Declaration, Guardian
from services.registration.domain import Registration, Submission
from shared.off_hub import off_hub

FONTS = Path(__file__).with_name("data") / "fonts"
REGULAR, BOLD, ITALIC = "Tinos-Regular", "Tinos-Bold", "Tinos-Italic"
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
WIDTH, HEIGHT = A4
LEFT, RIGHT, MIDDLE = 22 * mm, WIDTH - 18 * mm, WIDTH / 2
SIZE, LEADING = 12, 16.5
QR_MM = 26

RELATIONS = {"parent": "Cha hoặc mẹ", "guardian": "Người giám hộ"}
DOCUMENTS = {"cccd": "Căn cước công dân", "cmnd": "Chứng minh nhân dân", "passport": "Hộ chiếu"}
SEXES = {"male": "Nam", "female": "Nữ", None: "(không khai)"}


def load_fonts() -> None:
    """Make the fonts known to reportlab; again does nothing."""
    for name in (REGULAR, BOLD, ITALIC):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(FONTS / f"{name}.ttf")))


def declaration_pdf(registration: Registration) -> bytes:
    """The PDF of a submitted declaration, which has its declaration, submission and names."""
    load_fonts()
    declaration, submission = registration.declaration, registration.submission
    if declaration is None or submission is None:
        raise ValueError("not submitted")
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1, pageCompression=1, lang="vi")
    canvas.setTitle(f"Tờ khai {submission.declaration_number}")
    canvas.setAuthor("Bảo hiểm xã hội Việt Nam")
    canvas.setSubject("Tờ khai tham gia, điều chỉnh thông tin BHXH, BHYT")
    canvas.setCreator("VssID")
    page = Page(canvas)
    head(page, submission)
    body(page, registration, declaration, submission)
    foot(page, registration, declaration, submission)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


class Printer:
    """Makes PDFs in a native thread, one after the other: reportlab's fonts do not bear two at once."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def pdf(self, registration: Registration) -> bytes:
        """As ``declaration_pdf``."""
        with self._turn:
            return off_hub(declaration_pdf, registration)


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


def head(page: Page, submission: Submission) -> None:
    """The agency and the state's motto, side by side, then the title and the number."""
    left, right = WIDTH * 0.29, WIDTH * 0.70
    page.centred(left, "BẢO HIỂM XÃ HỘI VIỆT NAM", BOLD, 11)
    page.centred(right, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", BOLD, 11)
    page.down()
    page.centred(right, "Độc lập - Tự do - Hạnh phúc", BOLD, 12)
    page.centred(left, "Tờ khai điện tử VssID", REGULAR, 11)
    page.down()
    page.rule(left, 30 * mm)
    page.rule(right, 52 * mm)
    page.down(1.2)
    page.centred(MIDDLE, "TỜ KHAI", BOLD, 16)
    page.down(1.3)
    page.centred(MIDDLE, "Tham gia, điều chỉnh thông tin BHXH, BHYT", BOLD, 13)
    page.down()
    page.centred(MIDDLE, "(đăng ký tài khoản giao dịch điện tử VssID)", ITALIC, 12)
    page.down()
    page.centred(MIDDLE, f"Số: {submission.declaration_number}", BOLD, 12)
    page.down(1.6)


def body(page: Page, registration: Registration, declaration: Declaration, submission: Submission) -> None:
    """What was declared, and what was agreed to."""
    names = submission.names
    if names is None:
        raise ValueError("without its names")
    address = (
        f"{names.address} (trước 1/7/2025: {names.former_address})" if names.former_address else names.address
    )
    guardian = registration.guardian
    rows: tuple[tuple[str, str], ...] = (
        ("Họ và tên", declaration.full_name.upper()),
        ("Mã số BHXH hoặc số định danh cá nhân", declaration.code),
        ("Ngày, tháng, năm sinh", birth_as_read(declaration.birth)),
        ("Giới tính", SEXES[declaration.sex]),
        paper_of(declaration) if guardian is None else ("Người kê khai thay", on_behalf(guardian)),
        ("Địa chỉ liên hệ", address),
        ("Số điện thoại", local_phone(declaration.phone)),
        ("E-mail", registration.email or ""),
        ("Cơ quan BHXH tiếp nhận", names.agency),
    )
    if guardian is None:  # a child makes no visit
        rows = (*rows, ("Thời hạn đến cơ quan BHXH để xác thực", f"trước {moment(submission.deadline)}"))
    page.paragraph(f"Kính gửi: {names.agency}", BOLD)
    page.down(0.4)
    for number, (label, value) in enumerate(rows, start=1):
        page.row(number, label, value)
    page.down(0.6)
    page.paragraph(
        "Tôi cam đoan những nội dung kê khai trên là đúng và chịu trách nhiệm trước pháp luật về những nội "
        "dung đã kê khai."
    )
    page.paragraph(
        f"Tôi đã đọc và đồng ý với văn bản về xử lý dữ liệu cá nhân, phiên bản {submission.consent_version}, "
        f"lúc {moment(submission.at)}."
    )
    if submission.consent_text is not None:
        page.paragraph(f"Mã băm SHA-256 của văn bản: {submission.consent_text.sha256}", ITALIC, 9)


def paper_of(declaration: Declaration) -> tuple[str, str]:
    return f"{DOCUMENTS[declaration.document.kind]} số", declaration.document.number


def on_behalf(guardian: Guardian) -> str:
    """Who declares for a child, by the code of the own account."""
    return f"{RELATIONS[guardian.relation]}, mã số {guardian.code}"


def foot(page: Page, registration: Registration, declaration: Declaration, submission: Submission) -> None:
    """The QR on the left, place and date and who declares on the right."""
    page.down(0.8)
    top, right = page.y, WIDTH * 0.70
    at = submission.at.astimezone(VIETNAM)
    page.centred(right, f"Ngày {at.day:02d} tháng {at.month:02d} năm {at.year}", ITALIC)
    page.down()
    page.centred(right, "Người kê khai", BOLD)
    page.down()
    page.centred(right, "(đã nộp bằng phương thức điện tử)", ITALIC, 11)
    page.down(1.6)
    signed = declaration.full_name if registration.guardian is None else on_behalf(registration.guardian)
    for line in wrapped(signed, BOLD, SIZE, 80 * mm):
        page.centred(right, line, BOLD)
        page.down()
    draw_qr(page.canvas, submission.declaration_number, LEFT, top - QR_MM * mm + LEADING * 0.6, QR_MM * mm)
    page.canvas.setFont(REGULAR, 9)
    page.canvas.drawString(LEFT, top - QR_MM * mm - 4, submission.declaration_number)


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


def birth_as_read(birth: Birth) -> str:
    """``17/05/1990``, ``05/1990`` or ``1990``."""
    return "/".join(reversed(birth.value.split("-")))


def local_phone(phone: str) -> str:
    return "0" + phone.removeprefix("+84") if phone.startswith("+84") else phone


def moment(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%H:%M ngày %d/%m/%Y}"
