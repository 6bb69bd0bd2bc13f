"""A person has erased what no duty keeps: here at once, at registration as soon as it hears, and then the
answer is given. Of each step there is all or nothing, and each may be told again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity import rights
from services.identity.domain import Account, Case, CaseStatus
from services.identity.guardianship import ChildUnknown
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_answer
from shared.events import account as account_events
from shared.messaging import outbox

CAME_TO_NOTHING = frozenset({CaseStatus.REJECTED, CaseStatus.CLOSED})
GUARDIAN = "guardian"
"""Of a request for a child's data: whose account asked."""


def ask_childs_erasure(
    storage: Storage, guardian: Account, child_id: UUID, *, request_id: UUID, now: datetime
) -> PersonRequest:
    """What no duty keeps of a child, asked for by its guardian, who is told what came of it (law on personal
    data: children through their representative). Raises ``ChildUnknown``."""
    held = storage.guardianship(guardian.id, child_id)
    child = storage.account_of(child_id) if held is not None and held.lasts(now) else None
    if child is None:
        raise ChildUnknown
    return ask_erasure(storage, child, request_id=request_id, now=now, guardian=guardian)


def ask_erasure(
    storage: Storage, account: Account, *, request_id: UUID, now: datetime, guardian: Account | None = None
) -> PersonRequest:
    """Cases that came to nothing lose what is personal, and registration is told, which sees to those under
    way (``empty_case``); both also where the holder registered a child. It is answered with what registration
    has done. Asked again before: the same request, and registration is told again. ``guardian``: who asks for
    a child."""
    storage.lock_account(account.id)
    (person,) = storage.people_with([account.code])
    numbers = person.numbers.union(person.applicant.numbers)
    cases = storage.cases_with(numbers, *CaseStatus)
    births = rights.births_of(person, cases)
    asked = storage.open_request(account.id, RequestKind.ERASURE)
    if asked is None:
        own = [case for case in cases if rights.is_about(case, numbers, births)]
        registered = storage.cases_registered_by(account.id, CaseStatus.WAITING, *CAME_TO_NOTHING)
        own += [case for case in registered if case not in own]
        closed = [case for case in own if case.status in CAME_TO_NOTHING]
        for case in closed:
            storage.save_emptied(rights.emptied(case), now)
        under_way = [case for case in own if case.status is CaseStatus.WAITING]
        due, wanted = rights.due_at(now), {"registrations": _ids(closed), "open": _ids(under_way)}
        if guardian is not None:
            wanted[GUARDIAN] = str(guardian.id)
        asked = PersonRequest(request_id, account.id, "", RequestKind.ERASURE, now, due, wanted)
        storage.add_request(asked)
    _tell_due(storage, account, asked, [case for case in cases if case.status is CaseStatus.VERIFIED], now)
    return asked


def tell_erasure_again(storage: Storage, request_id: UUID) -> None:
    """Registration has lost what it did on a request: account.erasure_due once more, as of then. What was
    opened since is no part of it."""
    asked = storage.request(request_id)
    account = storage.account(asked.account_id) if asked else None
    if asked is None or account is None:
        return
    (person,) = storage.people_with([account.code])
    numbers = person.numbers.union(person.applicant.numbers)
    verified = storage.cases_with(numbers, CaseStatus.VERIFIED)
    _tell_due(storage, account, asked, [c for c in verified if c.opened_at <= asked.asked_at], asked.asked_at)


def _tell_due(
    storage: Storage, account: Account, asked: PersonRequest, verified: Sequence[Case], at: datetime
) -> None:
    (person,) = storage.people_with([account.code])
    data = {
        "account_id": account.id,
        "request_id": asked.id,
        "numbers": sorted(person.numbers.union(person.applicant.numbers)),
        "births": sorted(rights.births_of(person, verified)),
        "verified_ids": [case.registration_id for case in verified],
        "closed_ids": [UUID(text) for text in asked.wanted["registrations"].split()],
        "open_ids": [UUID(text) for text in asked.wanted.get("open", "").split()],
    }
    outbox.add(
        storage.tx,
        account_events.ERASURE_DUE.event(subject=account.id, correlation_id=account.id, at=at, data=data),
    )


def _ids(cases: Iterable[Case]) -> str:
    return " ".join(str(case.registration_id) for case in cases)


def empty_case(storage: Storage, registration_id: UUID, at: datetime) -> None:
    """registration.emptied: of a case that came to nothing only number, times, agency and ending stay. Told
    again: nothing. What was verified is a record that the law keeps."""
    case = storage.case_of(registration_id, to_change=True)
    if case is not None and case.status in CAME_TO_NOTHING and case.applicant.code:
        storage.save_emptied(rights.emptied(case), at)


def answer_erasure(storage: Storage, erased: Mapping[str, Any], now: datetime) -> None:
    """registration.erased: the one answer, with what is gone and what stays, to whoever asked. Told again:
    nothing."""
    asked = storage.request(erased["request_id"])
    account = storage.account(erased["account_id"])
    if asked is None or account is None or asked.state is not RequestState.OPEN:
        return
    counts = {name: erased[name] for name in ("photos", "applications", "drafts")}
    asker = storage.account(UUID(asked.wanted[GUARDIAN])) if GUARDIAN in asked.wanted else account
    assert asker is not None
    answer = rights.ERASED[asker.language].format(**counts)
    answered = asked.answered(RequestState.GRANTED, answer, now)
    storage.answer_request(answered)
    tell_answer(storage, asker, answered, now)
