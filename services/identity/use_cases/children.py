"""Children: registered by a parent or guardian, whose guardianship an officer confirms."""

from __future__ import annotations

from datetime import datetime

from services.identity import guardianship
from services.identity.credentials import Claims
from services.identity.domain import Account, AuditEntry, Case, Officer, Person
from services.identity.guardianship import Child, Guardianship
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.rights import citizen
from services.identity.use_cases.telling import tell_guardianship
from shared.events.parts import BIRTH_CERTIFICATE


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
