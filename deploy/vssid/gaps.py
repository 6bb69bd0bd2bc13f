"""Finds what is missing between the four databases: after one of them was restored to an earlier moment, the
others know of things that it has forgotten.

Each database is read in pages in the order of an id, and each page is joined by ids with what the others know
of it, so that memory does not grow with them. What is younger than ``until`` is still on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from deploy.vssid.where import Databases
from services.history.domain import Guardianship
from services.history.storage import HistoryStorage
from services.identity.credentials import registration_of
from services.identity.devices import TOKENS_LIVE
from services.identity.storage import Storage as IdentityStorage
from services.notification.storage import MessageStorage
from services.registration.storage import Storage as RegistrationStorage

Row = Mapping[str, Any]

PAGE = 1000
FIRST = UUID(int=0)

OPEN = {"submitted", "awaiting_visit", "supplement_requested"}
SUCCESS = {"verified", "completed"}
ENDED = {"rejected", "expired", "cancelled"}
REPORTED = {"sent": "sent", "delivered": "delivered", "failed": "failed"}


@dataclass(frozen=True)
class Kind:
    """A kind of gap: what it means, and what is done. ``mended`` says how ``--mend`` closes it; without it
    ``people`` says who does. ``is_gap`` is False where only a record is lost, not an effect."""

    name: str
    means: str
    mended: str = ""
    people: str = ""
    is_gap: bool = True


KINDS = {
    kind.name: kind
    for kind in (
        Kind("case_missing", "submitted, but identity has no case", "registration.submitted is told again"),
        Kind(
            "application_missing",
            "a case, but registration has no submitted application",
            "the application is taken back from its case; phone and code are claimed again",
            "where phone or code was claimed by somebody else meanwhile: ask both to the desk",
        ),
        Kind("opening_unheard", "registration does not know that its case is open", "identity.checked again"),
        Kind("ending_unheard", "registration does not know how its case ended", "its ending is told again"),
        Kind(
            "closing_unheard",
            "ended or asked to end, but its case still waits",
            "registration.close_requested is told again",
        ),
        Kind(
            "decision_lost",
            "verified before, but its case waits at the desk",
            people="an officer of its agency confirms it again; the citizen then gets another password",
        ),
        Kind(
            "contradiction",
            "registration and identity hold different endings",
            people="ask the agency which is right",
        ),
        Kind(
            "emptying_unheard",
            "an application has lost what was personal, its case has not",
            "registration.emptied is told again",
        ),
        Kind(
            "erasure_unheard",
            "a person asked for erasure, of which registration knows nothing",
            "account.erasure_due is told again, as of then",
        ),
        Kind("credential_missing", "verified, but no password was made", "identity.verified is told again"),
        Kind(
            "message_missing",
            "a password was issued, but there is no message with it",
            "another password takes its place: its secret is not kept",
            "replaced too often: the citizen asks at the desk",
        ),
        Kind(
            "outcome_unheard",
            "what became of an SMS with a password is not known to all",
            "notification tells it again",
        ),
        Kind(
            "own_password_missing",
            "a citizen was told of an own new password, which identity does not have",
            "the first password that opens the account again is replaced by another",
            "an older password of the citizen's own opens the account: nothing, or ask at the desk",
        ),
        Kind(
            "ended_sessions_missing",
            "sessions were ended, but history still takes their tokens",
            "account.sessions_ended is told again",
        ),
        Kind(
            "guardianship_unheard",
            "history does not know until when a guardian may see a child's records",
            "identity.guardianship_confirmed is told again, with its end",
        ),
        Kind(
            "guardianship_end_lost",
            "history knows that a guardianship was ended, identity does not",
            people="an officer of the child's agency ends it again",
        ),
        Kind(
            "record_lost",
            "the message with a password is not recorded any more, but what became of it is known",
            is_gap=False,
        ),
    )
}


@dataclass(frozen=True)
class Gap:
    """Something missing. ``key`` is what the mending needs: a registration, a credential, an account or a
    message; ``belongs_to`` the registration or account, for people."""

    kind: Kind
    key: UUID
    belongs_to: UUID
    about: Any = None


def gaps(databases: Databases, until: datetime) -> Iterator[Gap]:
    """Every gap, as of ``until``."""
    yield from of_applications(databases, until)
    yield from of_cases(databases, until)
    yield from of_first_passwords(databases, until)
    yield from of_own_passwords(databases, until)
    yield from of_sessions(databases, until)
    yield from of_erasures(databases, until)
    yield from of_guardianships(databases, until)


# ---- reading: a page of one database, and what the others know of it ------------------------------------


def of_applications(databases: Databases, until: datetime) -> Iterator[Gap]:
    """Submitted ⇒ case; what the case and the SMS did to the application."""

    def page(after: UUID) -> list[dict[str, Any]]:
        with databases.transaction("registration") as tx:
            return RegistrationStorage(tx).submitted_after(after, until=until, limit=PAGE)

    for applications in _pages(page, "id"):
        ids = [row["id"] for row in applications]
        with databases.transaction("identity") as tx:
            cases = {row["registration_id"]: row for row in IdentityStorage(tx).standing_of(ids)}
        with databases.transaction("notification") as tx:
            passwords = _grouped(MessageStorage(tx).passwords_of(ids), "registration_id")
        for row in applications:
            yield from judge_application(row, cases.get(row["id"]), passwords.get(row["id"], []))


def of_cases(databases: Databases, until: datetime) -> Iterator[Gap]:
    """Case ⇒ submitted; verified ⇒ credential."""

    def page(after: UUID) -> list[dict[str, Any]]:
        with databases.transaction("identity") as tx:
            return IdentityStorage(tx).standing_after(after, until=until, limit=PAGE)

    for cases in _pages(page, "registration_id"):
        with databases.transaction("registration") as tx:
            known = RegistrationStorage(tx).submitted_of([row["registration_id"] for row in cases])
        for row in cases:
            registration_id = row["registration_id"]
            if registration_id not in known:
                if row["is_emptied"]:  # nothing is left that could be taken back
                    continue
                yield _gap("application_missing", registration_id, about=row["status"])
            elif row["lacks_credential"]:
                yield _gap("credential_missing", registration_id)


def of_first_passwords(databases: Databases, until: datetime) -> Iterator[Gap]:
    """Issued ⇒ message; its outcome ⇒ the credential's."""

    def page(after: UUID) -> list[dict[str, Any]]:
        with databases.transaction("identity") as tx:
            return IdentityStorage(tx).first_passwords_after(after, until=until, limit=PAGE)

    for credentials in _pages(page, "id"):
        with databases.transaction("notification") as tx:
            found = MessageStorage(tx).passwords_of([registration_of(row["cause"]) for row in credentials])
        messages = {row["credential_id"]: row for row in found}
        for row in credentials:
            yield from judge_password(row, messages.get(row["id"]))


def of_own_passwords(databases: Databases, until: datetime) -> Iterator[Gap]:
    """The citizen was told that the password is changed ⇒ there is one made then, or later."""

    def page(after: UUID) -> list[dict[str, Any]]:
        with databases.transaction("notification") as tx:
            return MessageStorage(tx).password_changes_after(after, until=until, limit=PAGE)

    for told in _pages(page, "id"):
        with databases.transaction("identity") as tx:
            lacking = IdentityStorage(tx).locked_out_since(
                [(row["account_id"], row["written_at"]) for row in told]
            )
        for account_id in sorted(lacking):
            yield _gap("own_password_missing", account_id)


def of_sessions(databases: Databases, until: datetime) -> Iterator[Gap]:
    """Sessions ended in identity ⇒ ended in history, for as long as their tokens may live: before, it is of
    no use any more."""

    def page(after: UUID) -> list[dict[str, Any]]:
        with databases.transaction("identity") as tx:
            since = until - TOKENS_LIVE
            return IdentityStorage(tx).sessions_ended(after, since=since, until=until, limit=PAGE)

    for ended in _pages(page, "account_id"):
        with databases.transaction("history") as tx:
            known = HistoryStorage(tx).sessions_ended([row["account_id"] for row in ended])
        for row in ended:
            noted = known.get(row["account_id"])
            if noted is None or noted < row["ended_at"]:
                yield _gap("ended_sessions_missing", row["account_id"], about=row["ended_at"])


def of_erasures(databases: Databases, until: datetime) -> Iterator[Gap]:
    """Erasure asked ⇒ done at registration."""

    def page(after: UUID) -> list[dict[str, Any]]:
        with databases.transaction("identity") as tx:
            return IdentityStorage(tx).erasures_after(after, until=until, limit=PAGE)

    for asked in _pages(page, "id"):
        with databases.transaction("registration") as tx:
            known = RegistrationStorage(tx).erasures_of([row["id"] for row in asked])
        for row in asked:
            if row["id"] not in known:
                yield _gap("erasure_unheard", row["id"], row["account_id"])


def of_guardianships(databases: Databases, until: datetime) -> Iterator[Gap]:
    """Confirmed, or ended, in identity ⇒ known to history, which shows a child's records by it."""
    account_id = child_id = FIRST
    while True:
        with databases.transaction("identity") as tx:
            page = IdentityStorage(tx).guardianships_after(account_id, child_id, until=until, limit=PAGE)
        if not page:
            return
        with databases.transaction("history") as tx:
            known = HistoryStorage(tx).guardianships_of([row["account_id"] for row in page])
        by_ids = {(one.account_id, one.child_id): one for one in known}
        for row in page:
            account_id, child_id = row["account_id"], row["child_person_id"]
            yield from judge_guardianship(row, by_ids.get((account_id, child_id)))


# ---- judging ------------------------------------------------------------------------------------------


def judge_application(application: Row, case: Row | None, passwords: Sequence[Row]) -> Iterator[Gap]:
    """What is missing around one submitted application."""
    name = _mismatch(application, case)
    if name:
        yield _gap(name, application["id"])
    if application["status"] == "verified" and case is not None and case["status"] == "verified":
        for message in passwords:
            if message["state"] in ("sent", "delivered"):
                yield _gap("outcome_unheard", message["id"], application["id"])


def _mismatch(application: Row, case: Row | None) -> str:
    status = application["status"]
    if case is None:  # of an emptied application nothing is left that could be told
        return "" if application["is_emptied"] else "case_missing"
    match case["status"]:
        case "waiting" if status in SUCCESS:
            return "decision_lost"
        case "waiting" if status in ENDED or (application["close_requested"] and not case["is_asked"]):
            return "closing_unheard"
        case "waiting":
            return "opening_unheard" if status == "submitted" else ""
        case "rejected" | "closed" if application["is_emptied"] and not case["is_emptied"]:
            return "emptying_unheard"
        case "verified" if status in ENDED:
            return "contradiction"
        case "rejected" | "closed" if status in SUCCESS:
            return "contradiction"
    return "ending_unheard" if status in OPEN else ""


def judge_password(credential: Row, message: Row | None) -> Iterator[Gap]:
    """What is missing around one first password."""
    registration_id = registration_of(credential["cause"])
    if message is None:
        unheard = credential["state"] == "issued" and credential["delivery"] is None
        yield _gap("message_missing" if unheard else "record_lost", credential["id"], registration_id)
        return
    reported = REPORTED.get(message["state"])
    if message["state"] == "unknown" and message["reason"] == "no_answer":
        reported = "failed"
    if reported and credential["delivery"] in (None, "sent") and credential["delivery"] != reported:
        yield _gap("outcome_unheard", message["id"], registration_id)


def judge_guardianship(held: Row, known: Guardianship | None) -> Iterator[Gap]:
    """What history does not know of one guardianship, or identity does not."""
    if known is not None and known.valid_until == held["valid_until"]:
        return
    is_ended = known is not None and known.valid_until <= known.confirmed_at  # as an ending is kept
    if known is not None and is_ended and held["confirmed_at"] < known.valid_until < held["valid_until"]:
        yield _gap("guardianship_end_lost", held["account_id"])
        return
    about = (held["child_person_id"], known and known.confirmed_at)
    yield _gap("guardianship_unheard", held["account_id"], about=about)


def _gap(kind: str, key: UUID, belongs_to: UUID | None = None, about: Any = None) -> Gap:
    return Gap(KINDS[kind], key, belongs_to or key, about)


def _pages(page: Callable[[UUID], list[dict[str, Any]]], key: str) -> Iterator[list[dict[str, Any]]]:
    after = FIRST
    while rows := page(after):
        yield rows
        after = rows[-1][key]


def _grouped(rows: Iterable[Row], name: str) -> dict[UUID, list[Row]]:
    groups: dict[UUID, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups
