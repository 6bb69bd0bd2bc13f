"""A verified person's contact, changed at the desk.

The phone is claimed at registration between two transactions of ours: the change is written down first, and a
job goes on with it whatever happens in between.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.identity import domain, refusals
from services.identity.domain import AuditEntry, Case, CaseStatus, ContactChange, Officer
from services.identity.guardianship import ContactIsGuardians
from services.identity.use_cases.accounts import (
    RETRY_SECONDS,
    give_up_contact,
    held_with_person,
    take_children_along,
)
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_contact_changed
from shared.messaging import outbox

CHANGE_CONTACT = "change_contact"


def ask_contact_change(
    storage: Storage,
    officer: Officer,
    *,
    user: str,
    phone: str | None,
    email: str | None,
    papers_checked: bool,
    reason: str,
    change_id: UUID,
    now: datetime,
) -> ContactChange:
    """Write down that the person behind a code or personal number has shown papers and wants another contact.
    The same again is the same change. Only at an agency at whose desk the person was verified.

    Raises ``PapersNotChecked``, ``ReasonMissing``, ``AccountUnknown``, ``RequestInvalid``,
    ``ContactChangePending``, ``ContactIsGuardians``.
    """
    if papers_checked is not True:
        raise refusals.PapersNotChecked
    told = domain.reason_of_rejection(reason)
    storage.lock_numbers([user])
    account = storage.account_named(user)
    case = _case_at(storage, officer, user)
    if account is None or case is None:
        raise refusals.AccountUnknown
    guardians = storage.guardians_of(account.person_id, now)
    if any(guardian.is_reached_at(account.phone, account.email) for guardian in guardians):
        raise ContactIsGuardians
    phone, email = domain.new_contact(account, phone, email)
    change = ContactChange(change_id, account.id, officer.id, phone, email, told, now)
    if account.is_reached_at(phone, email):
        return replace(change, state="changed")
    pending = storage.pending_contact_change(account.id)
    if pending is not None:
        if (pending.phone, pending.email) == (phone, email):
            return pending
        raise refusals.ContactChangePending
    storage.add_contact_change(change)
    storage.add_audit(
        AuditEntry(now, officer.id, "contact_change_asked", case.id, {"change": str(change.id)})
    )
    outbox.add(storage.tx, outbox.Due(CHANGE_CONTACT, str(change.id), now + timedelta(seconds=RETRY_SECONDS)))
    return change


def _case_at(storage: Storage, officer: Officer, user: str) -> Case | None:
    """A case by which the person was verified at the officer's agency."""
    for person in storage.people_with([user]):
        for number in sorted(person.numbers):
            if found := storage.cases(officer.agency_code, CaseStatus.VERIFIED, [number], None, 1):
                return found[0]
    return None


def find_contact_change(storage: Storage, change_id: UUID) -> tuple[ContactChange, frozenset[str]] | None:
    """A change that may still take effect, and the numbers of its person where a phone is to be claimed: none
    when it stays the same."""
    change = storage.contact_change(change_id)
    account = storage.account(change.account_id) if change else None
    if change is None or account is None or change.state != "pending":
        return None
    (person,) = storage.people_with([account.code])
    if person.verified_at > change.asked_at:
        return None
    return change, frozenset() if account.phone == change.phone else person.numbers


def finish_contact_change(storage: Storage, change_id: UUID, *, is_claimed: bool, now: datetime) -> str:
    """The phone is the account's by now, or is refused: the change takes effect, once, with its audit row and
    its notices. What the old contact opens is closed (``give_up_contact``). A person whom the
    desk has verified anew meanwhile keeps what was seen then. Returns the state."""
    change = storage.contact_change(change_id, to_change=True)
    if change is None or change.state != "pending":
        return change.state if change else "refused"
    account, person = held_with_person(storage, change.account_id)
    if not is_claimed or person.verified_at > change.asked_at:
        storage.end_contact_change(change.id, "refused", now)
        storage.add_audit(
            AuditEntry(now, change.staff_id, "contact_change_refused", details={"change": str(change.id)})
        )
        return "refused"
    applicant = replace(person.applicant, phone=change.phone, email=change.email)
    storage.save_person(replace(person, applicant=applicant))
    changed = storage.save_account(replace(account, phone=change.phone, email=change.email), now)
    take_children_along(storage, account, changed, now)
    storage.end_contact_change(change.id, "changed", now)
    storage.add_audit(AuditEntry(now, change.staff_id, "contact_changed", details={"change": str(change.id)}))
    tell_contact_changed(storage, account, phone=change.phone, email=change.email, now=now)
    give_up_contact(storage, account.id, now)
    return "changed"
