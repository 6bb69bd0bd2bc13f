"""Step 2, the declaration: what a citizen types in, checked field by field, in one pass.

Pure, like ``domain.py``, of which it is a part: standard library only. Every rule is one small function that
either returns the value as it is kept or raises ``Wrong`` with what would be right.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from services.registration.address import Address, Places, address_in, conversion_disagrees
from services.registration.form import Form, Wrong, choice, closed_up, matches
from shared.refusals import FieldProblem, Refused

DOCUMENT_NUMBERS = {
    "cccd": (r"\d{12}", "CCCD gồm 12 chữ số.", "A CCCD number has 12 digits."),
    "cmnd": (r"\d{9}", "CMND gồm 9 chữ số.", "A CMND number has 9 digits."),
    "passport": (
        r"[A-Z]\d{7,8}|(?=.*\d)[A-Z0-9]{5,9}",
        "Hộ chiếu Việt Nam gồm 1 chữ cái và 7–8 chữ số; hộ chiếu nước ngoài gồm 5–9 chữ cái và chữ số.",
        "A Vietnamese passport number is a letter and 7–8 digits; a foreign one is 5–9 letters and digits.",
    ),
}
BIRTH_PATTERNS = {"day": r"\d{4}-\d{2}-\d{2}", "month": r"\d{4}-\d{2}", "year": r"\d{4}"}
MOBILE = re.compile(r"(?:0|\+?84)([35789]\d{8})")
EARLIEST_YEAR = 1900
LONGEST_NAME = 100


@dataclass(frozen=True)
class Birth:
    """A birth date as exact as it is known: ``1990-05-17``, ``1990-05`` or ``1990``."""

    precision: str
    value: str

    @property
    def year(self) -> int:
        return int(self.value[:4])


@dataclass(frozen=True)
class Document:
    """The paper the citizen will bring to the agency: ``cccd``, ``cmnd`` or ``passport``."""

    kind: str
    number: str


BIRTH_CERTIFICATE = Document("birth_certificate", "")
"""What a child has in place of an ID document: its photo is compared, no number is asked for."""
RELATIONS = ("parent", "guardian")
YEARS_WITHOUT_DOCUMENT = 14
"""From the 14th birthday on a citizen has an ID card (Law on Identification 26/2023) and registers by it."""


@dataclass(frozen=True)
class Guardian:
    """The parent or guardian who registers a child, from a verified account: whose ``code`` it is, and the
    ``phone`` (E.164) that the child's messages go to. ``relation`` is ``parent`` or ``guardian``."""

    account_id: UUID
    code: str
    relation: str
    phone: str = field(repr=False)


@dataclass(frozen=True)
class Declaration:
    """What was declared, in the form in which it is kept. ``phone`` is E.164; a child's is its guardian's."""

    code: str
    full_name: str
    birth: Birth
    document: Document
    phone: str
    address: Address
    sex: str | None = None

    @property
    def personal_number(self) -> str | None:
        """The 12 digits that replace the code, where the citizen gave them."""
        if self.document.kind == "cccd":
            return self.document.number
        return self.code if len(self.code) == 12 else None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers that stand for the citizen, the code first; one is the alias of the other."""
        return tuple(dict.fromkeys(n for n in (self.code, self.personal_number) if n))

    @property
    def asked_number(self) -> str:
        """The number about which the register is asked."""
        return self.personal_number or self.document.number

    @property
    def checked_part(self) -> tuple[object, ...]:
        """What the register is asked about; the answer stays true while this stays the same."""
        return self.personal_number, self.document, self.full_name, self.birth


class DeclarationInvalid(Refused):
    """One or more fields are not as they should be; each says what would be right."""

    vi = "Một số thông tin khai chưa đúng. Vui lòng xem từng mục."
    en = "Some of the declared information is not right. Please see each field."


def declare(raw: object, *, today: date, places: Places, guardian: Guardian | None = None) -> Declaration:
    """The declaration out of what was sent, whatever that was. With a ``guardian`` it is a child's, who has
    neither a document nor a phone of its own.

    Raises ``DeclarationInvalid`` with one problem for each field at fault.
    """
    form = Form(raw)
    birth = form.part("birth")
    value_rule = birth_value if guardian is None else childs_birth_value
    declaration = Declaration(
        code=form.take("code", insurance_code),
        full_name=form.take("full_name", full_name),
        birth=Birth(
            precision=(precision := birth.take("precision", birth_precision)),
            value=birth.take("value", lambda value: value_rule(value, precision, today)),
        ),
        document=document_in(form.part("document")) if guardian is None else BIRTH_CERTIFICATE,
        phone=form.take("phone", mobile_number) if guardian is None else guardian.phone,
        sex=form.take("sex", sex, optional=True),
        address=address_in(form.part("address"), places, today),
    )
    if guardian is not None:
        for name in ("document", "phone"):
            if form.has(name):
                form.problems.append(FieldProblem(name, *NOT_A_CHILDS))
    if form.problems:
        raise DeclarationInvalid(*form.problems)
    return declaration


def guardians_relation(text: str) -> str:
    """Who registers a child. Raises ``DeclarationInvalid``."""
    form = Form({"relation": text})
    relation: str = form.take("relation", lambda value: choice(value, RELATIONS))
    if form.problems:
        raise DeclarationInvalid(*form.problems)
    return relation


NOT_A_CHILDS = (
    "Trẻ em đăng ký bằng giấy khai sinh và liên hệ của người giám hộ: bỏ trống mục này.",
    "A child is registered by birth certificate, with the guardian's contact: leave this out.",
)


def document_in(form: Form) -> Document:
    """The ID document in its part of the form; what is wrong with it is noted there."""
    kind = form.take("kind", document_kind)
    return Document(kind, form.take("number", lambda value: document_number(value, kind)))


def insurance_code(text: str) -> str:
    """10 digits (BHXH code) or, since August 2025, the 12 of the personal number. No check digit is known."""
    code = closed_up(text)
    if not matches(r"\d{10}|\d{12}", code):
        raise Wrong(
            "Mã số BHXH gồm 10 chữ số, hoặc 12 chữ số của số định danh cá nhân.",
            "The BHXH code has 10 digits, or is the personal number of 12 digits.",
        )
    return code


def full_name(text: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    letters = all(c.isalpha() or unicodedata.category(c) == "Mn" or c in " '’-." for c in name)
    if not (letters and 2 <= len(name) <= LONGEST_NAME and any(c.isalpha() for c in name)):
        raise Wrong(
            f"Họ và tên như trên giấy tờ, 2–{LONGEST_NAME} chữ cái, không có chữ số.",
            f"The full name as on the ID document, 2–{LONGEST_NAME} letters, no digits.",
        )
    return name


def birth_precision(text: str) -> str:
    return choice(text, tuple(BIRTH_PATTERNS))


def birth_value(text: str, precision: str | None, today: date) -> str:
    """A date that exists, not in the future; as long as ``precision`` says."""
    value = text.strip()
    written = BIRTH_PATTERNS.get(precision or "", "|".join(BIRTH_PATTERNS.values()))
    if not matches(written, value):
        raise Wrong(
            "Ngày sinh viết yyyy-mm-dd; nếu chỉ biết tháng: yyyy-mm; chỉ biết năm: yyyy.",
            "Write the birth date as yyyy-mm-dd; with only the month known yyyy-mm; only the year yyyy.",
        )
    year, month, day = (*(int(part) for part in value.split("-")), 1, 1)[:3]
    try:
        born = date(year, month, day)
    except ValueError as error:
        raise Wrong("Ngày sinh phải là ngày có thật.", "The birth date must be a day that exists.") from error
    if not born.year >= EARLIEST_YEAR or born > today:
        raise Wrong(
            f"Ngày sinh từ năm {EARLIEST_YEAR} đến hôm nay.",
            f"The birth date is between the year {EARLIEST_YEAR} and today.",
        )
    return value


def childs_birth_value(text: str, precision: str | None, today: date) -> str:
    """The full date, of somebody who has no ID card yet."""
    value = birth_value(text, precision, today)
    born = date.fromisoformat(value) if precision == "day" else None
    if born is None or is_of_age(born, YEARS_WITHOUT_DOCUMENT, today):
        raise Wrong(
            f"Ngày sinh đầy đủ của trẻ dưới {YEARS_WITHOUT_DOCUMENT} tuổi; từ {YEARS_WITHOUT_DOCUMENT} tuổi "
            "đăng ký bằng căn cước của mình.",
            f"The full birth date of a child under {YEARS_WITHOUT_DOCUMENT}; from then on one registers with "
            "the own ID card.",
        )
    return value


def is_of_age(born: date, years: int, today: date) -> bool:
    """Whether that birthday has come; who was born on 29 February has it on 1 March in other years."""
    return (today.year - born.year, today.month, today.day) >= (years, born.month, born.day)


def document_kind(text: str) -> str:
    return choice(text, tuple(DOCUMENT_NUMBERS))


def document_number(text: str, kind: str | None) -> str:
    """The number by the kind of document; while the kind is wrong only its presence is asked for."""
    number = closed_up(text).upper()
    pattern, vi, en = DOCUMENT_NUMBERS.get(
        kind or "", (r".{1,20}", "Nhập số giấy tờ.", "Enter the number of the document.")
    )
    if not matches(pattern, number):
        raise Wrong(vi, en)
    return number


def mobile_number(text: str) -> str:
    """A Vietnamese mobile number in E.164. The pattern decides: number lists lag behind new ranges."""
    found = MOBILE.fullmatch(re.sub(r"[\s.\-()]", "", text)) if text.isascii() else None
    if found is None:
        raise Wrong(
            "Số điện thoại di động Việt Nam: 0 hoặc +84, rồi 3, 5, 7, 8 hoặc 9 và 8 chữ số.",
            "A Vietnamese mobile number: 0 or +84, then 3, 5, 7, 8 or 9 and 8 digits.",
        )
    return f"+84{found[1]}"


def sex(text: str) -> str:
    return choice(text, ("male", "female"))


def warnings_of(declaration: Declaration, *, phone_range_known: bool, places: Places) -> tuple[str, ...]:
    """What the officer should look at: it blocks nothing.

    A CCCD number says century and sex in its fourth digit (0/1 = 19xx male/female, 2/3 = 20xx, …) and the
    year in the two that follow. ``phone_range_known``: whether the list of number ranges knows the phone.
    """
    found = []
    number = declaration.personal_number
    if number is not None:
        century_and_sex = int(number[3])
        if declaration.sex not in (None, ("male", "female")[century_and_sex % 2]):
            found.append("document_number_disagrees_with_sex")
        if 1900 + 100 * (century_and_sex // 2) + int(number[4:6]) != declaration.birth.year:
            found.append("document_number_disagrees_with_birth_year")
        if len(declaration.code) == 12 and declaration.code != number:
            found.append("code_disagrees_with_document_number")
    if not phone_range_known:
        found.append("phone_range_unknown")
    if conversion_disagrees(declaration.address, places):
        found.append("former_address_disagrees_with_address")
    return tuple(found)
