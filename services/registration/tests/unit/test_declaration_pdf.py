"""The PDF of a declaration: a page that a citizen would recognise, and the same bytes each time."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from reportlab.pdfbase.ttfonts import TTFontFile

from services.registration.consent import consent_texts
from services.registration.declaration_pdf import declaration_pdf
from services.registration.domain import Registration
from services.registration.submission import ConsentGiven, Names
from services.registration.tests.examples import declared, submitted
from shared.pdf import FONTS, REGULAR, Printer, wrapped

AGENCY = "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"
VIETNAMESE = "aăâbcdđeêghiklmnoôơpqrstuưvxyàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ"
letters = st.text(VIETNAMESE + VIETNAMESE.upper() + " ", min_size=2, max_size=90).filter(
    lambda text: len("".join(text.split())) >= 2
)


def whole(**form_changes: object) -> Registration:
    held, declaration = submitted(), declared(**form_changes)
    names = Names(AGENCY, f"{declaration.address.street}, Phường Ba Đình, Thành phố Hà Nội")
    submission = replace(held.submission, consent_text=ConsentGiven("vi", "ab" * 32), names=names)  # type: ignore[type-var]
    return replace(held, declaration=declaration, submission=submission)


def text_of(content: bytes) -> str:
    (page,) = PdfReader(BytesIO(content)).pages
    return " ".join(page.extract_text().split())


@pytest.mark.proves("G10")
def test_the_page_reads_as_an_official_declaration() -> None:
    text = text_of(declaration_pdf(whole()))
    for expected in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
        "TỜ KHAI Tham gia, điều chỉnh thông tin BHXH, BHYT",
        "Số: TK-2026-000000001",
        "Kính gửi: (S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa",
        "[01] Họ và tên: NGUYỄN THỊ THỬ LAN",
        "[03] Ngày, tháng, năm sinh: 17/05/1990",
        "[05] Căn cước công dân số: 001190123456",
        "[06] Địa chỉ liên hệ: Số 1, phố Giả Định, Phường Ba Đình, Thành phố Hà Nội",
        "[07] Số điện thoại: 0912345678",
        "trước 15:00 ngày 31/03/2026",
        "phiên bản 2026-01, lúc 15:00 ngày 01/03/2026",
    ):
        assert expected in text


@pytest.mark.proves("G10")
@settings(max_examples=25)
@given(letters, letters, st.sampled_from(("male", "female", None)))
def test_the_same_declaration_is_the_same_bytes_and_reads_as_declared(
    name: str, street: str, sex: str | None
) -> None:
    held = whole(full_name=name, address__street=street, sex=sex)
    content = declaration_pdf(held)
    assert declaration_pdf(held) == content
    assert held.declaration is not None
    assert "".join(held.declaration.full_name.upper().split()) in "".join(text_of(content).split())
    assert "".join(held.declaration.address.street.split()) in "".join(text_of(content).split())


def test_another_declaration_is_other_bytes() -> None:
    assert declaration_pdf(whole()) != declaration_pdf(whole(full_name="Nguyễn Thị Thử Mai"))


def test_the_bytes_are_the_same_in_another_process_at_another_time_and_in_threads() -> None:
    """Neither the order of hashes nor the clock nor what was made before shows in them."""
    held = whole()
    printer, expected = Printer(), sha256(declaration_pdf(held)).hexdigest()
    with ThreadPoolExecutor(4) as threads:
        others = [whole(full_name=f"Nguyễn Văn {'Thử' * n}") for n in range(1, 9)]
        contents = threads.map(lambda one: printer.pdf(declaration_pdf, one), [held, *others] * 4)
        made = [sha256(content).hexdigest() for content in contents]
    assert made[:: len(others) + 1] == [expected] * 4
    program = (
        "from hashlib import sha256\n"
        "from services.registration.declaration_pdf import declaration_pdf\n"
        "from services.registration.tests.unit.test_declaration_pdf import whole\n"
        "print(sha256(declaration_pdf(whole())).hexdigest())"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "TZ": "America/New_York"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


def test_the_fonts_are_embedded_and_hold_every_vietnamese_letter() -> None:
    (page,) = PdfReader(BytesIO(declaration_pdf(whole()))).pages
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]  # type: ignore[index, union-attr]
    embedded = [f for f in fonts if "/FontDescriptor" in f and "/FontFile2" in f["/FontDescriptor"]]
    assert {str(font["/BaseFont"]).split("+")[1] for font in embedded} == {
        "Tinos",
        "Tinos-Bold",
        "Tinos-Italic",
    }
    for path in sorted(FONTS.glob("*.ttf")):
        known = TTFontFile(str(path)).charToGlyph
        assert all(ord(letter) in known for letter in VIETNAMESE + VIETNAMESE.upper()), path.name


def test_a_long_entry_stays_on_its_one_page() -> None:
    held = whole(full_name="Ư" * 100, address__street="W" * 200)
    assert "Ư" * 20 in text_of(declaration_pdf(held))


@given(st.text(VIETNAMESE + "  ", max_size=200), st.integers(20, 400))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    declaration_pdf(whole())  # the fonts are known from here on
    lines = list(wrapped(text, REGULAR, 12, width))
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_the_consent_in_force_has_its_text_in_both_languages() -> None:
    texts = consent_texts("2026-01")["2026-01"]
    assert {language: text.language for language, text in texts.items()} == {"vi": "vi", "en": "en"}
    with pytest.raises(FileNotFoundError):
        consent_texts("1999-01")
