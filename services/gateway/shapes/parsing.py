"""Shapes: the JSON that callers send and get. Which value a field may have is the services' business."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from flask import Request
from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest

from services.gateway.problems import Problem
from shared.refusals import FieldProblem

WORDS = {
    "Missing data for required field.": ("Bắt buộc phải có.", "This field is required."),
    "Unknown field.": ("Không có trường này.", "There is no such field."),
    "Not a valid string.": ("Phải là chuỗi ký tự.", "Must be a string."),
    "Not a valid boolean.": ("Phải là true hoặc false.", "Must be true or false."),
    "Invalid input type.": ("Phải là một đối tượng JSON.", "Must be a JSON object."),
    "Not a valid number.": ("Phải là một số.", "Must be a number."),
    "Not degrees.": (
        "Phải là số độ: vĩ độ từ -90 đến 90, kinh độ từ -180 đến 180.",
        "Must be degrees: a latitude of -90 to 90, a longitude of -180 to 180.",
    ),
    "Not a valid date.": ("Phải là ngày, ví dụ 2025-06-30.", "Must be a day, as 2025-06-30."),
    "Field may not be null.": ("Không được là null.", "May not be null."),
    "Not a text.": ("Chứa ký tự không hợp lệ.", "Holds a character that is none (U+0000 or half of a pair)."),
}


LENGTHS = re.compile(r"1 to (\d+)")
"""Of ``not_longer_than``."""
NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")


class Query(Schema):
    """What a caller sends in the address."""

    @pre_load
    def refuse_what_is_no_text(self, data: Any, **_: Any) -> Any:
        """JSON can spell what neither UTF-8 nor PostgreSQL can hold. Raises ``ValidationError``."""
        if faults := _no_texts(data):
            raise ValidationError(faults)
        return data


class Shape(Query):
    """What a caller sends in a body: a JSON object with these fields and no others."""

    class Meta:
        unknown = RAISE


class ShapeParser(FlaskParser):
    """Parses bodies and query strings; what does not fit is one ``WrongShape`` naming every field."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        if not is_json(req.mimetype):
            raise Problem("UnsupportedMediaType")
        if len(req.get_data()) >= (req.max_content_length or 0):
            raise Problem("BodyTooLarge")  # a body without a length is cut off there, without a word
        try:
            return req.get_json()
        except BadRequest:
            raise Problem("NotJson") from None

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_: Any) -> NoReturn:
        raise Problem("WrongShape", *_flat(error.normalized_messages()))


def _no_texts(value: Any) -> Any:
    """marshmallow's tree of messages for the texts in ``value`` that are none; empty when all are."""
    if isinstance(value, str):
        return ["Not a text."] if NO_CHARACTER.search(value) else []
    if isinstance(value, Mapping):
        return {str(name): faults for name, inner in value.items() if (faults := _no_texts(inner))}
    if isinstance(value, list):
        return {str(index): faults for index, inner in enumerate(value) if (faults := _no_texts(inner))}
    return []


def _flat(messages: Any, path: str = "") -> Iterator[FieldProblem]:
    """marshmallow's tree of messages as dotted fields."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            skip = name in ("json", "query", "_schema")
            yield from _flat(inner, path if skip else f"{path}.{name}".strip("."))
        return
    for message in messages:
        vi, en = _words(str(message))
        yield FieldProblem(path or "body", vi, en)


def _words(message: str) -> tuple[str, str]:
    if length := LENGTHS.fullmatch(message):
        return f"Nhập từ 1 đến {length[1]} ký tự.", f"Enter 1 to {length[1]} characters."
    return WORDS.get(message, ("Giá trị sai kiểu.", message))


def not_longer_than(most: int) -> validate.Length:
    """1 to ``most`` characters."""
    return validate.Length(min=1, max=most, error="1 to {max}")


class NotBlank(validate.Length):
    """Of such a length, and not of blanks alone."""

    def __call__(self, value: Any) -> Any:
        return super().__call__(value if value.strip() else "")


def text(
    help_text: str,
    *,
    required: bool = False,
    example: str | None = None,
    length: validate.Length | None = None,
) -> fields.String:
    """A string field with its description; of any length, where none is said."""
    metadata: dict[str, Any] = {"description": help_text}
    if example:
        metadata["examples"] = [example]
    return fields.String(required=required, validate=length, metadata=metadata)


def user(help_text: str) -> fields.String:
    """Who logs in."""
    return text(help_text, required=True, length=NotBlank(min=1, max=60, error="1 to {max}"))


def password() -> fields.String:
    """The password of a log-in: any but none."""
    length = validate.Length(min=1, error="Missing data for required field.")
    return text("the password", required=True, length=length)


def device_name() -> fields.String:
    """Of the device on which a citizen logs in."""
    help_text, example = "what the citizen will read in the list of devices", "Điện thoại của Thử"
    return text(help_text, example=example, length=not_longer_than(100))


def degrees(most: int, help_text: str) -> fields.Float:
    """A latitude or a longitude."""
    within = validate.Range(-most, most, error="Not degrees.")
    return fields.Float(validate=within, metadata={"description": help_text})


class PageQuery(Query):
    cursor = text("next_cursor of the page before")
