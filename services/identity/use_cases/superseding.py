"""A code or phone that somebody else's application holds: whoever shows at a desk, of any agency, that it is
the own one has that application closed, and then submits another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.identity import domain, refusals
from services.identity.domain import AuditEntry, Case, CaseStatus, Officer
from services.identity.use_cases.cases import close
from services.identity.use_cases.ports import Storage

SUPERSEDED = "superseded"


def list_open_applications(
    storage: Storage, officer: Officer, number: str, number_hash: str, now: datetime
) -> list[Case]:
    """Those of any agency that hold a code, personal number or phone (``domain.held_value``). An officer of
    another agency is to see no more of them than number and date. The looking is audited, where nothing is
    found with the number's keyed hash: who tries number after number shows."""
    found = _holding(storage, number, CaseStatus.WAITING)
    seen = {"cases": [str(case.id) for case in found]} | ({} if found else {"number_hash": number_hash})
    storage.add_audit(AuditEntry(now, officer.id, "open_applications_listed", details=seen))
    return found


def supersede(
    storage: Storage,
    officer: Officer,
    *,
    number: str,
    declaration_number: str,
    papers_checked: bool,
    reason: str,
    two_officers: bool = False,
    now: datetime,
) -> Case:
    """The person whose number or phone it is stands at the desk: the open application that holds it is
    closed, and its side told. Phone and code are free as soon as registration hears. Again: the same answer.

    Raises ``PapersNotChecked``, ``ReasonMissing``, ``CaseUnknown``, ``CaseAlreadyEnded``; ``CaseClaimed``
    while an officer works on it, before whom its own person may stand, and, with ``two_officers``,
    ``SecondOfficerNeeded`` when one has seen that person's papers. That it is kept for who asked for a
    supplement bars nobody.
    """
    if papers_checked is not True:
        raise refusals.PapersNotChecked
    told = domain.reason_of_rejection(reason)
    candidates = _holding(storage, number, *CaseStatus)
    named = next((case for case in candidates if case.declaration_number == declaration_number), None)
    case = storage.case(named.id, to_change=True) if named else None
    if case is None:
        raise refusals.CaseUnknown
    ending = storage.ending(case.id)
    if ending is not None and ending.reason == SUPERSEDED:
        return case
    (replace(case, hold=None) if _is_kept(case) else case).open_to(officer, now)
    if two_officers and case.first_confirmed_by is not None:
        raise refusals.SecondOfficerNeeded
    close(storage, case, SUPERSEDED, now, staff_id=officer.id)
    storage.add_audit(AuditEntry(now, officer.id, "case_superseded", case.id, {"reason": told}))
    return replace(case, status=CaseStatus.CLOSED)


def _is_kept(case: Case) -> bool:
    """Whether its hold is the one that a supplement has left, and not an officer's own claim."""
    hold, asked = case.hold, case.supplement
    return hold is not None and asked is not None and hold.until == asked.kept_until


def _holding(storage: Storage, number: str, *statuses: CaseStatus) -> list[Case]:
    return [case for case in storage.cases_with([number], *statuses) if number in _held_by(case)]


def _held_by(case: Case) -> set[str]:
    """Its numbers and its phone; a child's phone is its guardian's, and not held."""
    person = case.applicant
    return {*person.numbers, *([] if case.guardian else [person.phone])}
