"""The electronic declaration as a citizen would recognise it: one page of A4, in Vietnamese, with the QR of
its number. The same bytes for the same declaration (``shared.pdf``).
"""

from __future__ import annotations

from reportlab.lib.units import mm

from services.registration.declaration import Birth, Declaration, Guardian
from services.registration.domain import Registration
from services.registration.submission import Submission
from shared import pdf
from shared.pdf import (
    BOLD,
    ITALIC,
    LEADING,
    LEFT,
    MIDDLE,
    REGULAR,
    SIZE,
    VIETNAM,
    WIDTH,
    Page,
    draw_qr,
    moment,
    wrapped,
)

QR_MM = 26

RELATIONS = {"parent": "Cha hoặc mẹ", "guardian": "Người giám hộ"}
DOCUMENTS = {"cccd": "Căn cước công dân", "cmnd": "Chứng minh nhân dân", "passport": "Hộ chiếu"}
SEXES = {"male": "Nam", "female": "Nữ", None: "(không khai)"}


def declaration_pdf(registration: Registration) -> bytes:
    """The PDF of a submitted declaration, which has its declaration, submission and names."""
    declaration, submission = registration.declaration, registration.submission
    if declaration is None or submission is None:
        raise ValueError("not submitted")

    def write(page: Page) -> None:
        head(page, submission)
        body(page, registration, declaration, submission)
        foot(page, registration, declaration, submission)

    title = f"Tờ khai {submission.declaration_number}"
    return pdf.written(title, "Tờ khai tham gia, điều chỉnh thông tin BHXH, BHYT", write)


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


def birth_as_read(birth: Birth) -> str:
    """``17/05/1990``, ``05/1990`` or ``1990``."""
    return "/".join(reversed(birth.value.split("-")))


def local_phone(phone: str) -> str:
    return "0" + phone.removeprefix("+84") if phone.startswith("+84") else phone
