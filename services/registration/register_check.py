"""How the register is asked at step 2: in time, seldom, and so that nobody learns about other people.

Whoever asks too often is not turned away: the register is not asked, photos are, and the check is made after
the submission. So it is while nobody can count. Any answer but ``matched`` is told when the time is up,
however soon it was known: how long the register looked would tell whether there is such a person (F24).
"""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import uuid_utils

from services.registration.declaration import BIRTH_CERTIFICATE, Declaration
from services.registration.domain import Check
from services.registration.settings import Settings
from shared.cache import CacheUnavailable, Limiter
from shared.events.parts import document_told
from shared.messaging.calls import CallFailed, CallRefused, CallTimeout, ServiceUnknown


def ask(
    identity: Any,
    limiter: Limiter,
    settings: Settings,
    registration_id: UUID,
    declaration: Declaration,
    address: str,
) -> Check:
    """``matched``, or after ``check_seconds`` another answer. No answer in time is ``unavailable``, never a
    mismatch. ``identity`` is the client of that service, ``address`` says where the caller is. Outside any
    transaction."""
    if not can_be_asked(declaration):
        return Check(UUID(bytes=uuid_utils.uuid7().bytes), "unavailable")
    due = time.monotonic() + settings.check_seconds
    request_id = UUID(bytes=uuid_utils.uuid7().bytes)
    outcome = "unavailable"
    if may_ask(limiter, settings, registration_id, declaration, address):
        outcome = answer_of(identity, settings, registration_id, declaration, request_id)
    if outcome != "matched":
        wait_until(due)
    return Check(request_id, outcome)


def can_be_asked(declaration: Declaration) -> bool:
    """Whether the register knows people by the numbers that were declared: a child without a personal number
    has none of them."""
    return declaration.document != BIRTH_CERTIFICATE or declaration.personal_number is not None


def may_ask(
    limiter: Limiter, settings: Settings, registration_id: UUID, declaration: Declaration, address: str
) -> bool:
    """Count one question. False when the draft, the address, or all together about this number, asked too
    often; and when Redis is away."""
    counted = (
        ("check_draft", str(registration_id), settings.check_draft_limit),
        ("check_address", address, settings.check_address_limit),
        ("check_number", declaration.asked_number, settings.check_number_limit),
    )
    try:
        return all(limiter.hit(*what) for what in counted)
    except CacheUnavailable:
        return False


def answer_of(
    identity: Any, settings: Settings, registration_id: UUID, declaration: Declaration, request_id: UUID
) -> str:
    try:
        answer = identity.check_citizen(
            deadline_seconds=settings.check_seconds,
            request_id=str(request_id),
            registration_id=str(registration_id),
            purpose="registration",
            personal_number=declaration.personal_number,
            document=document_told(
                declaration.document.kind,
                declaration.document.number,
                child_number=declaration.personal_number or "",
            ),
            full_name=declaration.full_name,
            birth=vars(declaration.birth),
        )
    except (CallTimeout, CallFailed, CallRefused, ServiceUnknown):
        return "unavailable"
    return str(answer["outcome"])


def wait_until(due: float) -> None:
    time.sleep(max(0.0, due - time.monotonic()))
