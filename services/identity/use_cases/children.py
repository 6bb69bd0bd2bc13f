"""Children: registered by a parent or guardian, whose guardianship an officer confirms."""

from __future__ import annotations

from datetime import datetime

from services.identity import guardianship
from services.identity.domain import Account, AuditEntry, Case, Claims, Officer, Person
from services.identity.guardianship import Child, Guardianship
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.rights import citizen
from shared.events import identity as identity_events
from shared.events.parts import BIRTH_CERTIFICATE
from shared.messaging import outbox


def read_guardian(storage: Storage, claims: Claims, now: datetime) -> Account:
    """The account that begins a child's registration. Raises ``TokenInvalid``, ``PasswordChangeRequired``,
    ``GuardianTooYoung``."""
    account = citizen(storage, claims)
    guardianship.see_that_is_of_age(account, now)
    return account


def list_children(storage: Storage, claims: Claims, now: datetime) -> tuple[list[Child], list[Guardianship]]:
    """Those for whom the citizen was confirmed, while they are under age, by name; and what an officer has
    ended, without anything of the child."""
    account = citizen(storage, claims)
    return storage.children_of(account.id, now), storage.ended_guardianships_of(account.id, now)


def see_guardianship(case: Case, *, is_confirmed: bool) -> None:
    """A child's case is confirmed with its guardianship, and from its birth certificate. Raises
    ``GuardianshipNotConfirmed``, ``PhotoUnknown``."""
    if case.guardian is not None:
        if is_confirmed is not True:
            raise guardianship.GuardianshipNotConfirmed
        case.photo(BIRTH_CERTIFICATE)


def confirm_guardianship(
    storage: Storage, officer: Officer, case: Case, child: Person, now: datetime
) -> None:
    """The officer has seen whose child it is: from here on guardian and child look up the child's data. Of a
    case that is no child's: nothing."""
    if case.guardian is None:
        return
    confirmed = Guardianship(
        case.guardian.account_id,
        child.id,
        case.guardian.relation,
        officer.id,
        now,
        guardianship.of_age_at(child.applicant.birth_value),
    )
    storage.save_guardianship(confirmed)
    storage.add_audit(
        AuditEntry(
            now,
            officer.id,
            "guardianship_confirmed",
            case.id,
            {"guardian": str(confirmed.account_id), "relation": confirmed.relation},
        )
    )
    tell_guardianship(storage, case, child, confirmed)


def tell_guardianship(storage: Storage, case: Case, child: Person, confirmed: Guardianship) -> None:
    """identity.guardianship_confirmed, as of then."""
    guardian = storage.account(confirmed.account_id)
    if guardian is None:
        raise LookupError("a guardian without an account")
    data = {
        "person_id": guardian.person_id,
        "child_person_id": child.id,
        "codes": codes_of(child),
        "valid_until": confirmed.valid_until,
        "account_id": confirmed.account_id,
    }
    outbox.add(
        storage.tx,
        identity_events.GUARDIANSHIP_CONFIRMED.event(
            subject=child.id,
            correlation_id=case.registration_id,
            at=confirmed.confirmed_at,
            data=data,
            traceparent=case.traceparent,
        ),
    )


def tell_guardianship_ended(
    storage: Storage, case: Case, child: Person, former: Account, ended: Guardianship
) -> None:
    """identity.guardianship_ended, as of then: history shows no more, and who was the guardian is told."""
    data = {
        "account_id": former.id,
        "child_person_id": child.id,
        "codes": codes_of(child),
        "ended_at": ended.valid_until,
        "reason": ended.end_reason,
        "channels": former.channels,
        "language": former.language,
    }
    outbox.add(
        storage.tx,
        identity_events.GUARDIANSHIP_ENDED.event(
            subject=child.id,
            correlation_id=case.registration_id,
            at=ended.valid_until,
            data=data,
        ),
    )


def codes_of(child: Person) -> list[str]:
    """All numbers that stand for the child, that of its account first."""
    code = child.applicant.code
    return [code, *sorted(child.numbers.union(child.applicant.numbers) - {code})]
