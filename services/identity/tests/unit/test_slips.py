"""The slip as it is printed, and a member of staff whose hash is renewed."""

from __future__ import annotations

import base64
from contextlib import nullcontext
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import argon2
import pytest
from pypdf import PdfReader

from services.identity import slips, staff_sign_in
from services.identity.passwords import Passwords
from services.identity.slip_pdf import Slip, slip_pdf
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.test_contact import verified
from shared.pdf import Printer

SLIP = Slip("TK-2026-000001", "Nguyễn Thị Thử", "0123456789", "abcde23456f", NOW)


def run(function: Any, *arguments: Any) -> Any:
    return function(*arguments)


def text_of(content: bytes) -> str:
    (page,) = PdfReader(BytesIO(content)).pages
    return " ".join(page.extract_text().split())


def test_a_slip_says_who_how_and_until_when_and_is_the_same_each_time() -> None:
    content = slip_pdf(SLIP)
    assert slip_pdf(SLIP) == content != slip_pdf(replace(SLIP, password="abcde23456g"))
    text = text_of(content)
    for told in (
        "NGUYỄN THỊ THỬ",
        SLIP.code,
        SLIP.password,
        SLIP.declaration_number,
        "16:00 ngày 02/03/2026",
    ):
        assert told in text
    assert SLIP.password not in repr(SLIP)


@pytest.mark.proves("G12")
def test_the_slips_password_opens_the_account_and_is_nowhere_but_in_the_sealed_slip() -> None:
    storage, passwords = FakeStorage(), Passwords(run)
    account = verified(storage)
    case = next(iter(storage.all_cases.values()))
    parts: Any = SimpleNamespace(
        settings=SimpleNamespace(first_password_hours=72),
        passwords=passwords,
        printer=Printer(),
        sealer=SimpleNamespace(seal=lambda to, text: f"{to} {text}"),
    )
    told = slips.hand_over(storage, parts, OFFICER, case.id, papers_checked=True)  # type: ignore[arg-type]
    to, _, sealed = told.pop("sealed_slip").partition(" ")
    assert to == "gateway"
    text = text_of(base64.b64decode(sealed))
    password = text.partition("Mật khẩu lần đầu: ")[2].split()[0]
    (issued,) = storage.live_credentials(account.id)
    assert passwords.find([issued], password) == issued
    kept = (told, storage.audit, storage.credentials, [vars(a) for a in storage.tx.additions if a])
    assert password not in repr(kept)


@pytest.mark.parametrize("outdated", [True, False])
def test_staff_who_log_in_have_an_outdated_hash_renewed(
    monkeypatch: pytest.MonkeyPatch, outdated: bool
) -> None:
    storage, passwords = FakeStorage(), Passwords(run)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    before = weak.hash("one password") if outdated else passwords.hashed("one password")
    storage.add_staff(samples.staff(id=uuid4(), user="mai", password_hash=before), NOW)
    parts: Any = SimpleNamespace(
        settings=SimpleNamespace(
            seal_private="a key",
            staff_token_hours=8,
            staff_totp=False,
            log_in_tries="10/minute",
            log_in_tries_per_user="100/hour",
            staff_log_in_tries_per_address="10/minute",
            staff_log_in_tries_per_network="10/minute",
        ),
        passwords=passwords,
        throttle=SimpleNamespace(check=lambda *_: None, note_wrong=lambda *_: None),
        sealer=SimpleNamespace(seal=lambda _to, text: text),
    )
    database: Any = SimpleNamespace(transaction=lambda: nullcontext())
    monkeypatch.setattr(staff_sign_in, "Storage", lambda _tx: storage)
    attempt = staff_sign_in.Attempt(user="mai", password="one password", address="an address")
    staff_sign_in.log_in(database, parts, attempt)
    member = storage.staff_named("mai")
    assert member is not None
    assert (member.password_hash != before) is outdated
    assert passwords.is_right(member.password_hash, "one password")
    assert argon2.extract_parameters(member.password_hash).memory_cost == 19_456
