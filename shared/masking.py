"""Masking: what must not be read in a log line, found by its key or by its looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

MASK = "***"
DEPTH = 6

# fmt: off
PERSONAL_KEYS = frozenset({
    "address", "addresses", "args", "body", "code", "content", "data", "from", "html", "kwargs", "name",
    "number", "params", "payload", "reply", "request", "text", "to", "user", "username",
})
"""Keys that are personal when they stand alone: ``code`` is, ``agency_code`` is not."""

PERSONAL_WORDS = frozenset({
    "authorization", "birth", "cccd", "citizen_code", "cmnd", "cookie", "credential", "dob", "document",
    "email", "first_name", "full_name", "fullname", "holder_name", "last_name", "msisdn", "otp",
    "passphrase", "passport", "password", "person_name", "personal_code", "personal_number", "phone",
    "sealed", "secret", "street", "token",
})
"""Words that make any key personal: ``old_password``, ``document_number``, ``contactEmail``."""

HARMLESS_ENDINGS = (
    "_at", "_bytes", "_count", "_days", "_id", "_kind", "_left", "_ms", "_seconds", "_status", "_total",
    "_verified",
)
"""Endings that make a key harmless; its value is still looked at."""
# fmt: on

_ID = (
    r"(?P<id>(?<![0-9A-Za-z])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{16,64})(?![0-9A-Za-z]))"
)
_IN_URL = r"(?<=://)[^/\s@]{1,300}@"
_EMAIL = r"[^\s@<>()\[\],;:\"'=]{1,64}(?:@[^\s@<>()\[\],;:\"'=]{1,255})+"
_PHONE = r"(?<![0-9])(?:(?:\+|00)?84|0)(?:[ .\-]?[0-9]){8,10}(?![0-9])"
_NUMBER = r"(?<![0-9])[0-9]{9,13}(?![0-9])"
_GROUPED = r"(?<![0-9])[0-9]{3}(?:[ .\-][0-9]{3}){2,3}(?![0-9])"
_PASSPORT = r"(?<![0-9A-Za-z])[A-Z]{1,2}[0-9]{7,8}(?![0-9A-Za-z])"
LOOKS_PERSONAL = re.compile("|".join((_ID, _IN_URL, _EMAIL, _PHONE, _NUMBER, _GROUPED, _PASSPORT)))
"""UUIDs and ids in hexadecimal are kept; masked are ``user:password@`` in URLs, e-mail, phones, 9 to 13
digits in a row or in groups, passport numbers."""

WORTH_A_LOOK = re.compile("[0-9@]")
LONGEST_TEXT = 2000


def masked_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A log event with personal values masked and everything else turned into JSON types."""
    return {masked_text(str(key)): _masked(str(key), value, DEPTH) for key, value in event.items()}


def masked_text(text: str) -> str:
    """``text`` cut, without what looks like a phone, an e-mail, an ID number or a password in a URL."""
    if len(text) <= LONGEST_TEXT and not WORTH_A_LOOK.search(text):
        return text
    masked = LOOKS_PERSONAL.sub(lambda found: found["id"] or MASK, text[: 2 * LONGEST_TEXT])
    return masked if len(masked) <= LONGEST_TEXT else masked[:LONGEST_TEXT] + "…"


@lru_cache(maxsize=1024)
def is_personal(key: str) -> bool:
    """Whether a key's value is personal by its name alone."""
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_").replace(".", "_")
    if key in PERSONAL_KEYS:
        return True
    padded = f"_{key}_"
    return not key.endswith(HARMLESS_ENDINGS) and any(f"_{word}_" in padded for word in PERSONAL_WORDS)


def safe(value: Any) -> str | int | float | bool | None:
    """A value fit for formatting into a line: text masked, exceptions and objects by type alone."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return MASK if _looks_personal(value) else int(value)
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, BaseException):
        return named(value)
    if isinstance(value, UUID | date | timedelta | Path):
        return masked_text(str(value))
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ", ".join(str(safe(item)) for item in value) + "]"
    return f"<{type(value).__qualname__}>"


def described(exception: BaseException) -> dict[str, Any]:
    """Type and places of an exception and its causes: never its message, arguments or local values."""
    described_ones: list[dict[str, Any]] = []
    current: BaseException | None = exception
    seen: set[int] = set()
    while current is not None and id(current) not in seen and len(described_ones) < DEPTH:
        seen.add(id(current))
        described_ones.append({"type": named(current), **_facts(current), "stack": _stack(current)})
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    first, *causes = described_ones
    return {**first, "causes": causes} if causes else first


def named(exception: BaseException) -> str:
    """``psycopg.errors.UniqueViolation``; for system errors also the number, which holds no data."""
    kind = type(exception)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    number = getattr(exception, "errno", None)
    return f"{name} [{number}]" if isinstance(exception, OSError) and isinstance(number, int) else name


def _facts(exception: BaseException) -> dict[str, str]:
    """What PostgreSQL says in identifiers of ours: the state and the constraint's name."""
    constraint = getattr(getattr(exception, "diag", None), "constraint_name", None)
    facts = {"sqlstate": getattr(exception, "sqlstate", None), "constraint": constraint}
    return {name: masked_text(fact) for name, fact in facts.items() if isinstance(fact, str)}


def _stack(exception: BaseException) -> list[str]:
    frames = []
    traceback = exception.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_qualname}")
        traceback = traceback.tb_next
    return frames[-40:]


def _masked(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if key not in ("event", "exception") and is_personal(key):
        return MASK
    if isinstance(value, Mapping) and depth:
        return {masked_text(str(k)): _masked(str(k), v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_masked("", item, depth - 1) for item in value]
    if isinstance(value, int | float) and key.lower().endswith(HARMLESS_ENDINGS):
        return value
    if isinstance(value, Enum):
        return _masked(key, value.value, depth)
    if isinstance(value, Decimal):
        return MASK if _looks_personal(int(value)) else str(value)
    return safe(value)


def _looks_personal(number: int) -> bool:
    return LOOKS_PERSONAL.fullmatch(str(abs(number))) is not None
