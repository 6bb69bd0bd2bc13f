"""Closes gaps: has the service that knows tell it again, through its own outbox.

Listeners have the effect of an event once, whatever its id: by their inbox, and by keys such as one case for
a registration and one password for a cause. So it does no harm that an event is told again to those who know.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from deploy.vssid.gaps import Gap
from deploy.vssid.where import Databases
from services.identity import use_cases as identity
from services.identity.domain import CaseStatus
from services.identity.storage import Storage as IdentityStorage
from services.notification import use_cases as notification
from services.notification.storage import MessageStorage
from services.registration import erasure
from services.registration import use_cases as registration
from services.registration.storage import Storage as RegistrationStorage
from shared.refusals import Refused

REPLACEMENTS = 9
"""How often a first password may have been replaced before a person has to look."""

Mend = Callable[[Databases, Gap, datetime], bool]


def mend(databases: Databases, gap: Gap) -> bool:
    """Whether something was done about the gap; its effect follows with the event."""
    mending = MENDS.get(gap.kind.name)
    return mending is not None and mending(databases, gap, datetime.now(UTC))


def _tell_submitted(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("registration") as tx:
        registration.tell_submitted_again(RegistrationStorage(tx), gap.key, now=now)
    return True


def _ask_to_close(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("registration") as tx:
        registration.ask_to_close_again(RegistrationStorage(tx), gap.key, now=now)
    return True


def _take_back(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("identity") as tx:
        case = IdentityStorage(tx).case_of(gap.key)
    if case is None or not case.applicant.code:  # it was emptied on request of its person
        return False
    try:
        with databases.transaction("registration") as tx:
            registration.take_back(
                RegistrationStorage(tx),
                identity.submission_of(case),
                has_ended=gap.about in ("rejected", "closed"),
                token_hash=secrets.token_bytes(32),
                now=now,
            )
    except Refused:
        return False
    return _tell_case(databases, gap, now)


def _tell_case(databases: Databases, gap: Gap, now: datetime) -> bool:
    try:
        with databases.transaction("identity") as tx:
            identity.tell_case_again(IdentityStorage(tx), gap.key)
    except LookupError:
        return _end_emptied(databases, gap)
    return True


def _end_emptied(databases: Databases, gap: Gap) -> bool:
    """A case that was emptied cannot tell its ending, of which its person has heard: it is written down."""
    with databases.transaction("identity") as tx:
        storage = IdentityStorage(tx)
        case = storage.case_of(gap.key)
        ending = storage.ending(case.id) if case else None
    if ending is None or ending.status is CaseStatus.VERIFIED:
        return False
    reason = None if ending.status is CaseStatus.REJECTED else ending.reason
    with databases.transaction("registration") as tx:
        registration.end_emptied(RegistrationStorage(tx), gap.key, reason=reason, at=ending.at)
    return True


def _tell_emptied(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("registration") as tx:
        erasure.tell_emptied(RegistrationStorage(tx), gap.key, now)
    return True


def _tell_erasure(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("identity") as tx:
        identity.tell_erasure_again(IdentityStorage(tx), gap.key)
    return True


def _replace_password(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("identity") as tx:
        storage = IdentityStorage(tx)
        return identity.replace_unheard(storage, gap.key, replacements=REPLACEMENTS, now=now)


def _issue_anew(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("identity") as tx:
        return identity.issue_anew(IdentityStorage(tx), gap.key, replacements=REPLACEMENTS, now=now)


def _tell_outcome(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("notification") as tx:
        notification.tell_outcome_again(MessageStorage(tx), gap.key, now)
    return True


def _tell_sessions_ended(databases: Databases, gap: Gap, now: datetime) -> bool:
    with databases.transaction("identity") as tx:
        identity.tell_sessions_ended_again(IdentityStorage(tx), gap.key, gap.about, now=now)
    return True


def _tell_guardianship(databases: Databases, gap: Gap, now: datetime) -> bool:
    child_id, known_at = gap.about
    with databases.transaction("identity") as tx:
        storage = IdentityStorage(tx)
        return identity.tell_guardianship_again(storage, gap.key, child_id, known_at=known_at)


MENDS: dict[str, Mend] = {
    "case_missing": _tell_submitted,
    "closing_unheard": _ask_to_close,
    "application_missing": _take_back,
    "opening_unheard": _tell_case,
    "ending_unheard": _tell_case,
    "emptying_unheard": _tell_emptied,
    "erasure_unheard": _tell_erasure,
    "credential_missing": _tell_case,
    "message_missing": _replace_password,
    "own_password_missing": _issue_anew,
    "outcome_unheard": _tell_outcome,
    "guardianship_unheard": _tell_guardianship,
    "ended_sessions_missing": _tell_sessions_ended,
}
