"""A route of a citizen, an officer, an applicant or a voice platform, asked by whoever has no proof."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from services.gateway.app import create

KINDS = {"kind": "portrait", "declaration_number": "VS-1"}
BODY = {
    "otp": "123456", "password": "a password", "old_password": "a password", "new_password": "another one",
    "relation": "parent", "language": "vi", "consent_version": "2026-01", "agency_code": "S001",
    "email": "a@example.org", "granted": True, "answer": "Đã sửa theo giấy tờ.", "papers_checked": True,
    "items": ["portrait"], "note": "Ảnh bị mờ.", "reason": "Không đúng người.", "number": "0123456789",
    "user": "0123456789", "phone": "0912345678", "full_name": "Nguyễn Thị Thử", "caller": "0912345678",
    "code": "0123456789",
}  # fmt: skip


def routes_of_somebody() -> list[tuple[str, str]]:
    document: Any = create(None, None).test_client().get("/openapi.json").json  # type: ignore[arg-type]
    return [
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and operation.get("security")
    ]


NO_PROOF: list[dict[str, str]] = [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}]
REFUSED = (401, 415, 422)
"""Without a proof, or before that for the body that it has: nobody was asked."""


@pytest.mark.proves("F17")
def test_a_route_of_somebody_asks_for_the_proof_before_it_calls_anybody(http, rpc):
    for method, path in routes_of_somebody():
        path = re.sub(r"{(\w+)}", lambda found: KINDS.get(found[1], str(uuid.uuid4())), path)
        for headers in NO_PROOF:
            answer = http.open(path, method=method, json=BODY if method != "GET" else None, headers=headers)
            assert answer.status_code in REFUSED, (method, path, answer.json)
            assert rpc.calls == [], (method, path)
