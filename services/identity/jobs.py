"""What identity does on leases: the register asked again, first passwords made. Safe to run twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.identity import use_cases
from services.identity.domain import RegisterCheck
from services.identity.parts import Parts, new_id, now
from services.identity.passwords import generated
from services.identity.storage import Storage
from shared.database import Database, Transaction

Record = Callable[[Transaction], None]


class Due(Protocol):
    """A job in hand, as the kit gives it."""

    @property
    def key(self) -> str: ...
    @property
    def payload(self) -> dict[str, Any]: ...


def check_register(db: Database, parts: Parts, due: Due) -> Record | None:
    """Ask the register about a case that it has not decided on. Each asking is written down before."""
    check_id, at = new_id(), now()
    with db.transaction() as tx:
        storage = Storage(tx)
        case = use_cases.find_case_to_check(storage, UUID(due.key))
        if case is None:
            return None
        check = RegisterCheck(check_id, case.registration_id, "late_check", "identity.check_register", at)
        use_cases.begin_register_check(storage, check)
    answer = parts.register.ask(use_cases.question_of(case, check_id))

    def record(tx: Transaction) -> None:
        use_cases.record_register_answer(
            Storage(tx),
            case,
            check,
            answer,
            tries=int(due.payload.get("tries", 0)) + 1,
            retry_seconds=parts.settings.register_retry_seconds,
            now=now(),
        )

    return record


def issue_credential(parts: Parts, due: Due) -> Record:
    """Make a first password. Only its hash is stored, only the sealed text travels; a run that was killed
    leaves nothing, and the next one makes another."""
    password = generated()
    made = use_cases.FirstPassword(
        credential_id=new_id(),
        password_hash=parts.passwords.hashed(password),
        sealed_secret=parts.sealer.seal("notification", password),
    )

    def record(tx: Transaction) -> None:
        issued_at: datetime = now()
        use_cases.issue_credential(
            Storage(tx),
            UUID(due.payload["account_id"]),
            due.key,
            made,
            now=issued_at,
            valid_hours=parts.settings.first_password_hours,
        )

    return record
