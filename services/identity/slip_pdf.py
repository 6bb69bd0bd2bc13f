"""The slip that is handed over at the agency's counter: user name and first password on one page of A4. The
same bytes for the same slip (``shared.pdf``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shared import pdf
from shared.pdf import BOLD, ITALIC, MIDDLE, Page, moment


@dataclass(frozen=True)
class Slip:
    """What is printed. ``password`` is nowhere else in clear."""

    declaration_number: str
    full_name: str = field(repr=False)
    code: str = field(repr=False)
    password: str = field(repr=False)
    valid_until: datetime


def slip_pdf(slip: Slip) -> bytes:
    """The PDF of a slip."""

    def write(page: Page) -> None:
        page.centred(MIDDLE, "BẢO HIỂM XÃ HỘI VIỆT NAM", BOLD, 12)
        page.down(2)
        page.centred(MIDDLE, "PHIẾU GIAO TÀI KHOẢN VssID", BOLD, 16)
        page.down(1.3)
        page.centred(MIDDLE, f"Tờ khai số: {slip.declaration_number}")
        page.down(2)
        page.row(1, "Họ và tên", slip.full_name.upper())
        page.row(2, "Tên đăng nhập (mã số BHXH)", slip.code)
        page.row(3, "Mật khẩu lần đầu", slip.password)
        page.row(4, "Dùng trước", moment(slip.valid_until))
        page.down(0.8)
        for line in INSTRUCTIONS:
            page.paragraph(line)
            page.down(0.2)
        page.down(0.6)
        page.paragraph("Phiếu chỉ in một lần. Không đưa phiếu hoặc mật khẩu cho bất kỳ ai.", ITALIC)

    return pdf.written(f"Phiếu {slip.declaration_number}", "Phiếu giao tài khoản VssID", write)


INSTRUCTIONS = (
    "1. Cài đặt ứng dụng VssID từ App Store hoặc Google Play.",
    "2. Đăng nhập bằng tên đăng nhập và mật khẩu lần đầu; chữ thường, không có dấu cách.",
    "3. Đổi mật khẩu ngay: mật khẩu lần đầu chỉ dùng để đặt mật khẩu của riêng Ông/Bà.",
    "4. Hủy phiếu sau khi đã đổi mật khẩu. Mật khẩu hoặc liên kết gửi trước phiếu này không còn dùng được.",
)
