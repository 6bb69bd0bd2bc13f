"""What identity does on leases: the register asked again, first passwords made. Safe to run twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from services.identity import use_cases
from services.identity.delivery import Way
from services.identity.domain import ContactChange, RegisterCheck
from services.identity.parts import Parts, new_id, now
from services.identity.passwords import generated
from services.identity.storage import Storage
from shared.database import Database, Transaction
from shared.messaging import outbox
from shared.messaging.calls import CallFailed, CallRefused

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


def issue(parts: Parts, due: Due, way: Way) -> Record:
    """Make a first password, or the 256 bits of a link. Only their hash is stored, only the sealed text
    travels; a run that was killed leaves nothing, and the next one makes another."""
    credential_id = new_id()
    if way is Way.LINK:
        secret, hours = parts.proofs.new(credential_id), parts.settings.activation_link_hours
        stored = parts.proofs.hash(secret).hex()
    else:
        secret, hours = generated(), parts.settings.first_password_hours
        stored = parts.passwords.hashed(secret)
    made = use_cases.NewSecret(credential_id, stored, parts.sealer.seal("notification", secret))

    def record(tx: Transaction) -> None:
        account_id = UUID(due.payload["account_id"])
        use_cases.issue(Storage(tx), account_id, due.key, way, made, now=now(), valid_hours=hours)

    return record


def replace_credential(parts: Parts, due: Due) -> Record:
    """Have a first password followed that did not arrive, unless it was used or arrived meanwhile."""
    return lambda tx: use_cases.replace_after_pause(Storage(tx), UUID(due.key), parts.delivery, now())


FORGET_SESSIONS = "forget_sessions"
FORGOTTEN_AT_ONCE, FORGET_AGAIN_SECONDS = 1000, 3600
TRIES_KEPT = timedelta(days=1)
"""Wrong tries that were counted in the database: no limit looks back longer."""


def forget_sessions(db: Database, parts: Parts) -> Record:
    """Forget when and where somebody was logged in, and wrong tries, once their time is over, some at once,
    and again (law on personal data; what an erasure promises)."""
    kept = parts.lifetimes.longest + timedelta(days=parts.settings.log_ins_kept_days)
    with db.transaction() as tx:
        storage = Storage(tx)
        forgotten = max(
            storage.forget_log_ins(before=now() - kept, limit=FORGOTTEN_AT_ONCE),
            storage.forget_wrong_tries(before=now() - TRIES_KEPT, limit=FORGOTTEN_AT_ONCE),
        )
    seconds = 0 if forgotten == FORGOTTEN_AT_ONCE else FORGET_AGAIN_SECONDS
    again = outbox.Due(FORGET_SESSIONS, "sessions", now() + timedelta(seconds=seconds))
    return lambda tx: outbox.add(tx, again)


CLAIM_SECONDS, AT_ONCE_SECONDS, PAUSE_SECONDS = 1.5, 2.5, 0.3


def claim_phone(db: Database, registration: Any, change_id: UUID) -> bool | None:
    """Whether the phone of a pending change is the account's by now; False when it is refused. None when it
    is not known yet: an open application that holds it is being closed, or registration does not answer."""
    with db.transaction() as tx:
        found = use_cases.find_contact_change(Storage(tx), change_id)
    if found is None:
        return False
    change, numbers = found
    if not numbers:
        return True
    try:
        reply = registration.claim_phone(
            deadline_seconds=CLAIM_SECONDS, numbers=sorted(numbers), phone=change.phone
        )
    except CallRefused:
        return False
    except CallFailed:
        return None
    return True if reply["claimed"] else None


def settle_contact(db: Database, registration: Any, change: ContactChange) -> str:
    """Try at once, while the officer waits; what takes longer is left to the job. Returns the state."""
    if change.state != "pending":
        return change.state
    give_up_at = time.monotonic() + AT_ONCE_SECONDS
    while (is_claimed := claim_phone(db, registration, change.id)) is None:
        if time.monotonic() > give_up_at:
            return change.state
        time.sleep(PAUSE_SECONDS)
    with db.transaction() as tx:
        return use_cases.finish_contact_change(Storage(tx), change.id, is_claimed=is_claimed, now=now())


def settle_contact_later(db: Database, registration: Any, due: Due) -> Record:
    """The same without anybody waiting; tried again until it is known."""
    change_id = UUID(due.key)
    is_claimed = claim_phone(db, registration, change_id)

    def record(tx: Transaction) -> None:
        if is_claimed is None:
            again = now() + timedelta(seconds=use_cases.RETRY_SECONDS)
            outbox.add(tx, outbox.Due(use_cases.CHANGE_CONTACT, due.key, again))
        else:
            use_cases.finish_contact_change(Storage(tx), change_id, is_claimed=is_claimed, now=now())

    return record
