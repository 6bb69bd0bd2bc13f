"""The words of every message: one template per channel, purpose and language.

An e-mail's template is its subject, an empty line, then paragraphs; the HTML is made of the same paragraphs,
so the two never disagree. SMS templates are without diacritics where one part must be enough.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notification.domain import Message

TEMPLATES = Path(__file__).with_name("templates")

SUPPLEMENT_ITEMS = {
    "vi": {
        "portrait": "ảnh chân dung",
        "id_front": "ảnh mặt trước giấy tờ",
        "id_back": "ảnh mặt sau giấy tờ",
        "birth_certificate": "ảnh giấy khai sinh",
    },
    "en": {
        "portrait": "portrait",
        "id_front": "front of the ID card",
        "id_back": "back of the ID card",
        "birth_certificate": "birth certificate",
    },
}
CLOSING_REASONS = {
    "vi": {
        "cancelled": "hồ sơ đã được hủy theo yêu cầu",
        "deadline_passed": "đã quá thời hạn đến cơ quan BHXH",
        "superseded": "số điện thoại hoặc mã số đã được xác nhận cho người khác",
    },
    "en": {
        "cancelled": "it was cancelled as requested",
        "deadline_passed": "the time for the visit to the agency has passed",
        "superseded": "the phone or the code was confirmed for somebody else",
    },
}
GUARDIANSHIP_END_REASONS = {
    "vi": {
        "came_of_age": "người được giám hộ đã thành niên",
        "custody_changed": "quyền nuôi con hoặc việc giám hộ đã thay đổi",
        "confirmed_in_error": "quan hệ giám hộ đã được xác nhận nhầm",
    },
    "en": {
        "came_of_age": "the child is of age",
        "custody_changed": "custody or guardianship has changed",
        "confirmed_in_error": "the guardianship was confirmed in error",
    },
}
WITHOUT_DIACRITICS = str.maketrans(
    "àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ"
    "ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬÈÉẺẼẸÊỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢÙÚỦŨỤƯỪỨỬỮỰỲÝỶỸỴĐ",
    "aaaaaaaaaaaaaaaaaeeeeeeeeeeeiiiiiooooooooooooooooouuuuuuuuuuuyyyyyd"
    "AAAAAAAAAAAAAAAAAEEEEEEEEEEEIIIIIOOOOOOOOOOOOOOOOOUUUUUUUUUUUYYYYYD",
)
PLAIN_MARKS = str.maketrans({"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "..."})


@dataclass(frozen=True)
class EmailText:
    """What an e-mail says."""

    subject: str
    text: str
    html: str


class Texts:
    """Renders messages. ``places`` are what every template may name: the hotline, the app's links."""

    def __init__(self, places: Mapping[str, str], utc_offset_hours: int = 7) -> None:
        self._zone = timezone(timedelta(hours=utc_offset_hours))
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["local"] = self._local
        self._environment.filters["plain"] = plain
        self._environment.globals.update(places)

    def sms(self, message: Message, secret: str | None) -> str:
        """The text of an SMS."""
        return self._render(f"sms/{message.purpose}.{message.language}.txt", message, secret).strip()

    def email(self, message: Message, secret: str | None) -> EmailText:
        """Subject, text and HTML of an e-mail."""
        whole = self._render(f"email/{message.purpose}.{message.language}.txt", message, secret)
        subject, *paragraphs = [part.strip() for part in re.split(r"\n\s*\n", whole.strip())]
        layout = self._environment.get_template("email/layout.html")
        html = layout.render(subject=subject, paragraphs=paragraphs, language=message.language)
        return EmailText(subject=subject, text="\n\n".join(paragraphs) + "\n", html=html)

    def _render(self, template: str, message: Message, secret: str | None) -> str:
        told: dict[str, Any] = {
            **message.facts,
            "items_of": SUPPLEMENT_ITEMS[message.language],
            "closing_reasons": CLOSING_REASONS[message.language],
            "guardianship_end_reasons": GUARDIANSHIP_END_REASONS[message.language],
            "secret": secret,
        }
        return self._environment.get_template(template).render(told)

    def _local(self, moment: str) -> str:
        return f"{datetime.fromisoformat(moment).astimezone(self._zone):%H:%M %d/%m/%Y}"


def plain(text: str) -> str:
    """Vietnamese on one line without diacritics, dashes and quotes made plain, as GSM-7 carries it."""
    one_line = " ".join(unicodedata.normalize("NFC", text).split())
    return one_line.translate(WITHOUT_DIACRITICS).translate(PLAIN_MARKS)
