"""Synthetic people and applications for identity's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.identity import use_cases
from services.identity.credentials import Credential, CredentialState
from services.identity.domain import (
    Account,
    Applicant,
    Case,
    Officer,
    Outcome,
    Photo,
    RegisterAnswer,
    RegisterCheck,
    StaffAccount,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AGENCY = "00101"
OFFICER = Officer(UUID(int=1), AGENCY)


def applicant(**changes: Any) -> Applicant:
    """Nguyễn Thị Thử, who does not exist."""
    values = {
        "code": "0123456789",
        "personal_number": None,
        "full_name": "Nguyễn Thị Thử",
        "birth_precision": "day",
        "birth_value": "1990-05-17",
        "sex": "female",
        "document_kind": "cccd",
        "document_number": "001190000001",
        "phone": "+84912345678",
        "email": "thu@example.com",
        "address": {
            "province_code": "01",
            "commune_code": "00001",
            "district_name": None,
            "street": "1 Thử",
            "former": None,
            "text": None,
            "former_text": None,
        },
    }
    return Applicant(**{**values, **changes})


def case(**changes: Any) -> Case:
    """A waiting case of that person."""
    values = {
        "id": uuid4(),
        "registration_id": uuid4(),
        "declaration_number": "TK-2026-000001",
        "agency_code": AGENCY,
        "applicant": applicant(),
        "photos": (Photo("portrait", "photos/0192", "ab" * 32),),
        "register": RegisterAnswer(Outcome.MATCHED),
        "warnings": (),
        "deadline": NOW + timedelta(days=30),
        "language": "vi",
        "opened_at": NOW,
    }
    return Case(**{**values, **changes})


def submitted(person: Applicant | None = None, **changes: Any) -> dict[str, Any]:
    """The data of ``registration.submitted``, as loaded."""
    person = person or applicant()
    values = {
        "registration_id": uuid4(),
        "declaration_number": "TK-2026-000001",
        "person": {
            "code": person.code,
            "personal_number": person.personal_number,
            "full_name": person.full_name,
            "birth": {"precision": person.birth_precision, "value": person.birth_value},
            "sex": person.sex,
        },
        "document": {"kind": person.document_kind, "number": person.document_number},
        "phone": person.phone,
        "email": person.email,
        "address": dict(person.address),
        "agency_code": AGENCY,
        "photos": [{"kind": "portrait", "ref": "photos/0192", "sha256": "ab" * 32}],
        "register_check": {"request_id": uuid4(), "outcome": "matched"},
        "warnings": [],
        "consent": {"version": "2026-01", "at": NOW},
        "deadline": NOW + timedelta(days=30),
        "guardian": None,
        "birth_certificate": None,
        "language": "vi",
    }
    return {**values, **changes}


def checked(storage: use_cases.Storage, data: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    """The same application, after the register gave this outcome."""
    check = RegisterCheck(
        data["register_check"]["request_id"], data["registration_id"], "registration", "registration", NOW
    )
    use_cases.begin_register_check(storage, check)
    use_cases.finish_register_check(storage, check, RegisterAnswer(outcome), NOW)
    return data


def account(person_id: UUID | None = None, **changes: Any) -> Account:
    """An account of that person."""
    person = applicant()
    values = {
        "id": uuid4(),
        "person_id": person_id or uuid4(),
        "code": person.code,
        "full_name": person.full_name,
        "birth_value": person.birth_value,
        "phone": person.phone,
        "email": person.email,
        "language": "vi",
    }
    return Account(**{**values, **changes})


def issued(account_id: UUID, **changes: Any) -> Credential:
    """A first password that waits for its use."""
    values = {
        "id": uuid4(),
        "account_id": account_id,
        "state": CredentialState.ISSUED,
        "password_hash": "hash",
        "valid_until": NOW + timedelta(hours=72),
    }
    return Credential(**{**values, **changes})


def active(account_id: UUID, **changes: Any) -> Credential:
    """A password that the citizen chose."""
    return issued(account_id, **{"state": CredentialState.ACTIVE, "valid_until": None, **changes})


def staff(**changes: Any) -> StaffAccount:
    """An officer of the agency."""
    values = {"id": OFFICER.id, "user": "lan", "name": "Lan", "agency_code": AGENCY, "password_hash": "hash"}
    return StaffAccount(**{**values, **changes})
