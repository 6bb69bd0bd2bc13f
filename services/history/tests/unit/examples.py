"""Rows, files and claims that the tests start from. All people are synthetic."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.history.domain import Claims, Import

NOW = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)
AS_OF = datetime(2025, 12, 31, tzinfo=UTC)
CODE = "0123456789"
ACCOUNT = UUID("0192f000-0000-7000-8000-000000000002")


def row(**changes: Any) -> dict[str, Any]:
    """A line of an import, as an object."""
    return {
        "code": CODE,
        "from_month": "2019-07",
        "to_month": "2021-06",
        "employer": "Công ty Thử Nghiệm",
        "job_title": "Kế toán viên",
        "workplace": "Hà Nội",
        "salary_base": 6_500_000,
        "funds": ["BHXH", "BHYT", "BHTN", "BHTNLĐ-BNN"],
    } | changes


def many(count: int, code: str = CODE) -> list[dict[str, Any]]:
    """Stretches of one month each, one after the other."""
    return [
        row(code=code, from_month=month, to_month=month)
        for month in (f"{2000 + n // 12}-{n % 12 + 1:02}" for n in range(count))
    ]


def lines(rows: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in rows]


def offered(content: list[bytes], **changes: Any) -> Import:
    sha256 = hashlib.sha256(b"".join(content)).hexdigest()
    fields = {"id": uuid4(), "key": sha256, "sha256": sha256, "source": "BHXH thử", "as_of": AS_OF}
    return Import(**(fields | changes))


def claims(**changes: Any) -> Claims:
    fields = {"account_id": ACCOUNT, "code": CODE, "scope": "citizen", "issued_at": NOW}
    return Claims(**(fields | changes))
