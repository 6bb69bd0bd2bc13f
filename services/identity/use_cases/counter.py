"""An account that is handed over at the agency's counter, with a first password on a slip."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.identity import credentials, refusals
from services.identity.credentials import Credential, CredentialState
from services.identity.delivery import Way
from services.identity.domain import Account, AuditEntry, Case, CaseStatus, Officer
from services.identity.guardianship import GuardianshipOver, of_age_at
from services.identity.refusals import NotYetVerified, PasswordReceived
from services.identity.use_cases.accounts import DELIVERED, MANY, take_place
from services.identity.use_cases.desk import own_case
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_followed, tell_notice


@dataclass(frozen=True)
class HandOver:
    """What is to be handed over: the account of whom the case is about, held until the transaction ends."""

    case: Case
    account: Account


def begin_hand_over(
    storage: Storage, officer: Officer, case_id: UUID, *, papers_checked: bool, now: datetime
) -> HandOver:
    """The officer of the case's agency has the person at the counter and has checked the papers. Not while
    the account has not heard of the case, whose contact it is to have; nor once the citizen has chosen a
    password after the case was verified, unless that has ended and a first one waits: a slip would open what
    is in use. A child's slip is for the guardian of this case, while the guardianship lasts, or for who was
    the child and is of age.

    Raises ``CaseUnknown``, ``PapersNotChecked``, ``NotYetVerified``, ``AccountUnknown``,
    ``GuardianshipOver``, ``PasswordReceived``.
    """
    case = own_case(storage, officer, case_id)
    if papers_checked is not True:
        raise refusals.PapersNotChecked
    ending = storage.ending(case.id)
    if ending is None or ending.status is not CaseStatus.VERIFIED:
        raise NotYetVerified
    account = storage.account_named(case.applicant.code)
    if account is None:  # identity.verified is on its way
        raise NotYetVerified
    storage.lock_account(account.id)
    account = storage.account(account.id) or account
    if not account.channels:  # a child's, for whom nobody acts any more
        raise refusals.AccountUnknown
    (person,) = storage.people_with([account.code])
    if not account.is_reached_at(person.applicant.phone, person.applicant.email):  # the same
        raise NotYetVerified
    if case.guardian and of_age_at(person.applicant.birth_value) > now:
        confirmed = storage.guardianship(case.guardian.account_id, person.id)
        if confirmed is None or not confirmed.lasts(now):
            raise GuardianshipOver
    live = {credential.state for credential in storage.live_credentials(account.id)}
    if storage.has_chosen_since(account.id, ending.at) and live != {CredentialState.ISSUED}:
        raise PasswordReceived
    return HandOver(case, account)


def hand_over(
    storage: Storage,
    officer: Officer,
    held: HandOver,
    made: Credential,
    now: datetime,
) -> None:
    """The slip's password takes the place of whatever waited: a first password, a link, a slip from before.
    An SMS or a link that was still to be made has its cause taken and is not made. Audited, and told on both
    channels; the password in use lives until the new one is changed to one's own."""
    registration_id = held.case.registration_id
    last = storage.last_cause_for(held.account.id, registration_id)
    cause = credentials.cause_of_replacement(last, MANY) if last else str(registration_id)
    assert cause is not None
    take_place(storage, made, cause, now)
    storage.note_delivery(made.id, DELIVERED)
    details = {"credential": str(made.id)}
    storage.add_audit(AuditEntry(now, officer.id, "account_handed_over", held.case.id, details))
    valid_until = made.valid_until
    tell_followed(storage, held.account.id, made.id, cause, "handed_over", now, valid_until=valid_until)
    phones, emails = [held.account.phone], [held.account.email]
    tell_notice(storage, held.account, "reissued", now, phones=phones, emails=emails)


def slip_password(
    account: Account, credential_id: UUID, password_hash: str, *, valid_hours: int, now: datetime
) -> Credential:
    """A first password as it is printed."""
    valid_until = now + timedelta(hours=valid_hours)
    return Credential(
        credential_id, account.id, CredentialState.ISSUED, password_hash, valid_until, channel=Way.COUNTER
    )
