"""Accounts and their first passwords."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.identity import credentials, email_reset, hotline
from services.identity.credentials import Credential, CredentialState
from services.identity.delivery import Policy, Way, next_way
from services.identity.domain import Account, Applicant, CaseStatus, Person
from services.identity.use_cases.everywhere import end_everywhere
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_followed
from shared.events import credentials as credentials_events
from shared.events.notification import ACTIVATION_LINK, NUMBER_REFUSED
from shared.messaging import outbox

ISSUE = {Way.SMS: "issue_credential", Way.LINK: "issue_activation_link"}
"""The job that makes what travels by each way; at the counter it is made while the officer waits."""
REPLACE_CREDENTIAL = "replace_credential"
"""The job that has a first password followed once its pause is over; its key is the credential's id."""
RETRY_SECONDS = 10
"""Between two looks at whether a change of contact has ended."""
MANY = 10**6
"""A change of contact replaces a first password however often that happened before."""
RECOVERED = (hotline.REASON, email_reset.REASON, Way.LINK)
"""Reasons of passwords that whoever has the phone or the mailbox could choose: another contact ends them."""
DELIVERED, FAILED = "delivered", "failed"


def open_account(storage: Storage, verified: Mapping[str, Any], *, account_id: UUID, now: datetime) -> None:
    """A verified person gets an account, or the account what the desk saw last, and a first password falls
    due. Events keep no order: the contact is the person's, as it is by now, never an earlier case's.

    ``account_id`` is for somebody new. The password is made by a job: a hash has no place in a listener.
    """
    case = storage.case_of(verified["registration_id"])
    if case is None:
        raise LookupError("identity.verified without its case")
    known = _held(storage, case.applicant, verified["person_id"], now)
    if known is not None and storage.credential_for(known.id, str(case.registration_id)) is not None:
        return  # told again: the contact may have changed since
    people = storage.people_with(case.applicant.numbers)
    person = next((p.applicant for p in people if p.id == verified["person_id"]), case.applicant)
    account = storage.save_account(
        Account(
            id=account_id,
            person_id=verified["person_id"],
            code=person.code,
            full_name=person.full_name,
            birth_value=person.birth_value,
            phone=person.phone,
            email=person.email,
            language=case.language,
        ),
        now,
    )
    if known is not None and not account.is_reached_at(known.phone, known.email):
        end_everywhere(storage, account.id, now)
        end_recovered(storage, account.id, now)
        take_children_along(storage, known, account, now)
    _issue_soon(storage, account.id, str(case.registration_id), now)


def _held(storage: Storage, applicant: Applicant, person_id: UUID, now: datetime) -> Account | None:
    """The account if there is one; until the transaction ends nobody changes the contact of its person."""
    storage.lock_numbers(applicant.numbers)
    lock_guardians(storage, [person_id], now)
    known = storage.account_of(person_id)
    if known is not None:
        storage.lock_account(known.id)
    return storage.account_of(person_id)


def lock_guardians(storage: Storage, children: Iterable[UUID], now: datetime, *others: UUID) -> None:
    """The accounts at whose contact these people may be reached: it stays until the transaction ends.

    In one order everywhere, so that no two wait for each other: a person's numbers, the accounts of the
    guardians by id, the own account.
    """
    guardians = {one.id for child_id in children for one in storage.guardians_of(child_id, now)}
    for account_id in sorted(guardians.union(others)):
        storage.lock_account(account_id)


def held_with_person(storage: Storage, account_id: UUID) -> tuple[Account, Person]:
    """An account and its person, whom nobody changes until the transaction ends (``lock_guardians``)."""
    account = storage.account(account_id)
    assert account is not None
    (person,) = storage.people_with([account.code])
    storage.lock_numbers(sorted(person.numbers))
    storage.lock_account(account_id)
    account = storage.account(account_id)
    assert account is not None
    (person,) = storage.people_with([account.code])
    return account, person


def take_children_along(storage: Storage, before: Account, after: Account, now: datetime) -> None:
    """A guardian has another contact: so have the children who were reached at the one before, also those
    whose account is still to be opened. The guardian's account is locked."""
    if after.is_reached_at(before.phone, before.email):
        return
    for child in storage.children_of(after.id, now):
        account = storage.account_of(child.guardianship.child_person_id)
        if account is not None:
            storage.lock_account(account.id)
            account = storage.account(account.id)
        (person,) = storage.people_with([child.applicant.code])
        if before.is_reached_at(person.applicant.phone, person.applicant.email):
            applicant = replace(person.applicant, phone=after.phone, email=after.email)
            storage.save_person(replace(person, applicant=applicant))
        if account is not None and account.is_reached_at(before.phone, before.email):
            storage.save_account(replace(account, phone=after.phone, email=after.email), now)
            give_up_contact(storage, account.id, now)


def _issue_soon(storage: Storage, account_id: UUID, cause: str, at: datetime, way: Way = Way.SMS) -> None:
    outbox.add(storage.tx, outbox.Due(ISSUE[way], cause, at, {"account_id": str(account_id)}))


def _is_contact_changing(storage: Storage, account: Account, now: datetime) -> bool:
    """Whether the desk is changing it, or a guardian's that it may follow: either ends by itself."""
    followed = (account, *storage.guardians_of(account.person_id, now))
    return any(storage.pending_contact_change(one.id) is not None for one in followed)


def _is_to_be_sent(storage: Storage, account_id: UUID, cause: str, way: Way, now: datetime) -> bool:
    """Whether a first password, or a link, is to be made for this cause now. Where nobody is reached there is
    none; while the contact is being changed it waits, so as not to go to a phone or mailbox that was lost."""
    storage.lock_account(account_id)
    account = storage.account(account_id)
    if account is None:
        raise LookupError("a credential for an account that does not exist")
    if not account.channels or storage.credential_for(account_id, cause) is not None:
        return False
    if _is_contact_changing(storage, account, now):
        _issue_soon(storage, account_id, cause, now + timedelta(seconds=RETRY_SECONDS), way)
        return False
    return True


@dataclass(frozen=True)
class NewSecret:
    """A first password, or the secret of a link, that was just made: what is stored of it, and the sealed
    text that travels."""

    credential_id: UUID
    stored: str
    sealed: str


def issue(
    storage: Storage,
    account_id: UUID,
    cause: str,
    way: Way,
    made: NewSecret,
    *,
    now: datetime,
    valid_hours: int,
) -> None:
    """A first password that goes by SMS, or a link by e-mail in its place, exists from here on. One that was
    issued earlier and never used ends; the password in use lives until the new one is first used. A cause
    (``credentials.cause_of_replacement``) has one, however often this runs (``_is_to_be_sent``)."""
    if not _is_to_be_sent(storage, account_id, cause, way, now):
        return
    valid_until = now + timedelta(hours=valid_hours)
    issued = Credential(
        made.credential_id,
        account_id,
        CredentialState.ISSUED,
        made.stored,
        valid_until,
        channel=None if way is Way.SMS else way,
    )
    account = take_place(storage, issued, cause, now)
    if account is None:
        return
    registration_id = credentials.registration_of(cause)
    data: dict[str, Any] = {
        "credential_id": issued.id,
        "account_id": account.id,
        "registration_id": registration_id,
        "sealed_secret": made.sealed,
        "valid_until": valid_until,
        "language": account.language,
    }
    if way is Way.LINK:
        event_type = credentials_events.LINK_ISSUED
        data |= {"email": account.email}
    else:
        event_type = credentials_events.ISSUED
        is_told = bool(storage.failed_ways(account.id, registration_id))  # the instructions, at this contact
        channels = [one for one in account.channels if not (is_told and one["kind"] == "email")]
        data |= {"code": account.code, "reason": "registration", "channels": channels}
    event = event_type.event(subject=account.id, correlation_id=registration_id, at=now, data=data)
    outbox.add(storage.tx, event)


def chosen_for(storage: Storage, account_id: UUID, cause: UUID) -> Credential | None:
    """The password that was chosen by a link or reset, while it is in use: the same request again is answered
    like the first."""
    chosen = storage.credential_for(account_id, str(cause))
    return chosen if chosen is not None and chosen.state is CredentialState.ACTIVE else None


def take_place(storage: Storage, issued: Credential, cause: str, now: datetime) -> Account | None:
    """A first password, or a link in its place, is added; one that waited ends. The account, held until the
    transaction ends; None when the cause has one already."""
    storage.lock_account(issued.account_id)
    account = storage.account(issued.account_id)
    if account is None:
        raise LookupError("a credential for an account that does not exist")
    if storage.credential_for(account.id, cause) is not None:
        return None
    unused = [c.id for c in storage.live_credentials(account.id) if c.state is CredentialState.ISSUED]
    storage.end_credentials(unused, now)
    storage.add_credential(issued, cause, now)
    return account


def note_delivery(
    storage: Storage, message: Mapping[str, Any], state: str, *, policy: Policy, now: datetime
) -> None:
    """Keep how far the SMS with a password, or the e-mail with a link, came. Late or early, a final state is
    never undone, but that what counted as lost and is in force still did arrive. What did not arrive, or of
    which nobody knows, is followed by the next way: by another SMS after a pause, and by none where the SMS
    centre refuses the number."""
    credential_id = message["credential_id"]
    carries = message["channel"] == "sms" or message.get("purpose") == ACTIVATION_LINK
    if credential_id is None or not carries:
        return
    if not storage.note_delivery(credential_id, state) or state != FAILED:
        return
    found = storage.cause_of(credential_id)
    assert found is not None
    account_id, cause = found
    if message.get("reason") in NUMBER_REFUSED:
        policy = replace(policy, sms=0)
    if pause := policy.pause(storage.failed_ways(account_id, credentials.registration_of(cause))):
        outbox.add(storage.tx, outbox.Due(REPLACE_CREDENTIAL, str(credential_id), now + pause))
    else:
        try_next_way(storage, credential_id, policy, now)


def replace_after_pause(storage: Storage, credential_id: UUID, policy: Policy, now: datetime) -> None:
    """The pause after a first password that failed is over. One that was used or arrived meanwhile stays."""
    if storage.delivery(credential_id) == FAILED:
        try_next_way(storage, credential_id, policy, now)


def try_next_way(storage: Storage, credential_id: UUID, policy: Policy, now: datetime) -> None:
    """A first password has failed to arrive: it ends, and by another way follows another. Before the counter
    it stays, as it may have arrived unnoticed. One that was used or replaced meanwhile is not followed, but
    where the hotline's replaced it: that needs an SMS to the same phone, and the caller may be a stranger."""
    found = storage.cause_of(credential_id)
    if found is None:
        return
    account_id, cause = found
    way = next_way(storage.failed_ways(account_id, credentials.registration_of(cause)), policy)
    if way is Way.COUNTER:
        is_live = any(live.id == credential_id for live in storage.live_credentials(account_id))
        if is_live or storage.gave_way_to_voice(credential_id):
            tell_followed(storage, account_id, credential_id, cause, "counter_due", now)
        return
    again = credentials.cause_of_replacement(cause, MANY)
    if again is None:
        return
    if storage.end_credentials([credential_id], now) or storage.gave_way_to_voice(credential_id):
        _issue_soon(storage, account_id, again, now, way)


def give_up_contact(storage: Storage, account_id: UUID, now: datetime) -> None:
    """The account has another contact. A lost or stolen phone is the commonest reason: its app may be logged
    in, and whoever has it may have recovered a password. All of that ends, and first passwords that wait
    there; others go to the new contact. A password that the holder chose lives on."""
    end_everywhere(storage, account_id, now)
    live = storage.live_credentials(account_id)
    is_recovered = end_recovered(storage, account_id, now)
    waiting = [c.id for c in live if c.state is CredentialState.ISSUED and c.reason not in RECOVERED]
    if storage.end_credentials(waiting, now) or (is_recovered and not storage.live_credentials(account_id)):
        _issue_another(storage, account_id, now)


def start_anew(storage: Storage, account: Account, now: datetime) -> None:
    """Somebody who acted for the holder does so no more, and may know the password, even have chosen it: no
    password and no session of before is left, and a first password goes to the contact that there is now, as
    does one that is on its way. An account that had none was closed, and stays closed."""
    end_everywhere(storage, account.id, now)
    live = [credential.id for credential in storage.live_credentials(account.id)]
    if storage.end_credentials(live, now) and account.channels:
        _issue_another(storage, account.id, now)


def _issue_another(storage: Storage, account_id: UUID, now: datetime) -> None:
    cause = _last_cause(storage, account_id, now)
    again = credentials.cause_of_replacement(cause, MANY) if cause else None
    if again is not None:
        _issue_soon(storage, account_id, again, now)


def _last_cause(storage: Storage, account_id: UUID, now: datetime) -> str | None:
    """What the last first password was made for; while there is a guardian, not the registration of who was
    one once, on whose timeline the next one would be told. None where the guardian's is still to have its
    first."""
    last, account = storage.last_cause_by_sms(account_id), storage.account(account_id)
    if last is None or account is None:
        return last
    guardians = {guardian.id for guardian in storage.guardians_of(account.person_id, now)}
    case = storage.case_of(credentials.registration_of(last))
    if not guardians or case is None or case.guardian is None or case.guardian.account_id in guardians:
        return last
    (child,) = storage.people_with([account.code])
    cases = storage.cases_with(child.numbers, CaseStatus.VERIFIED)
    theirs = [case for case in cases if case.guardian and case.guardian.account_id in guardians]
    causes = [storage.last_cause_for(account_id, case.registration_id) for case in reversed(theirs)]
    return next((cause for cause in causes if cause), None if theirs else last)


def end_recovered(storage: Storage, account_id: UUID, now: datetime) -> bool:
    """Passwords that were heard on the phone or reset by e-mail end, and what was chosen with them. Whether
    there were any."""
    recovered = [c.id for c in storage.live_credentials(account_id) if c.reason in RECOVERED]
    return storage.end_credentials(recovered, now) > 0


def replace_password(storage: Storage, credential_id: UUID, at_most: int, now: datetime) -> None:
    found = storage.cause_of(credential_id)
    if found is None:
        return
    account_id, cause = found
    again = credentials.cause_of_replacement(cause, at_most)
    if again is not None and storage.end_credentials([credential_id], now):
        _issue_soon(storage, account_id, again, now)
