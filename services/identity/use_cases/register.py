"""The questions to the population register, and its late answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.identity.domain import (
    Case,
    CaseStatus,
    Question,
    RegisterAnswer,
    RegisterCheck,
)
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_checked
from shared.events.parts import document_told
from shared.messaging import outbox

CHECK_REGISTER = "check_register"
LONGEST_BACK_OFF = 16
"""The wait before the register is asked again doubles up to this many times the setting."""


def begin_register_check(storage: Storage, check: RegisterCheck) -> None:
    """Write down who asks and what for, before anything is asked."""
    storage.add_register_check(check)


def finish_register_check(
    storage: Storage, check: RegisterCheck, answer: RegisterAnswer, now: datetime
) -> str:
    """Write down the outcome; return the little of it that may be told."""
    storage.answer_register_check(check.request_id, answer, now)
    return answer.outcome.told


def question_of(case: Case, request_id: UUID) -> Question:
    """What the register is asked about a case that is still unchecked."""
    person = case.applicant
    document = document_told(
        person.document_kind, person.document_number, child_number=person.personal_number or ""
    )
    return Question(
        request_id,
        person.full_name,
        person.birth_value,
        document["kind"],
        document["number"],
        person.personal_number,
    )


def find_case_to_check(storage: Storage, case_id: UUID) -> Case | None:
    """The case, when it still waits and the register has not decided yet."""
    case = storage.case(case_id)
    if case is None or case.status is not CaseStatus.WAITING or case.register.outcome.answered:
        return None
    return case


def record_register_answer(
    storage: Storage,
    case: Case,
    check: RegisterCheck,
    answer: RegisterAnswer,
    *,
    tries: int,
    retry_seconds: int,
    now: datetime,
) -> None:
    """The late answer, onto the case and to registration; without one the check stays due, at growing
    distances. ``tries`` counts from 1."""
    storage.answer_register_check(check.request_id, answer, now)
    if answer.outcome.answered:
        storage.note_register_answer(case.id, answer)
        tell_checked(storage, case, answer.outcome, now)
    else:
        wait = timedelta(seconds=retry_seconds * min(2 ** min(tries - 1, 10), LONGEST_BACK_OFF))
        outbox.add(storage.tx, outbox.Due(CHECK_REGISTER, str(case.id), now + wait, {"tries": tries}))
