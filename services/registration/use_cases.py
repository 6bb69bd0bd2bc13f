"""What can be done with a registration, one function per intention.

Each runs inside the caller's transaction, which ``storage`` holds. Time, ids and secrets are arguments.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from services.registration import claims, domain, erasure
from services.registration.address import AdministrativeUnit, in_words
from services.registration.claims import Claim
from services.registration.declaration import Declaration, Guardian, declare, warnings_of
from services.registration.domain import (
    Agency,
    Check,
    ConsentGiven,
    ConsentText,
    EmailOtp,
    Names,
    Photo,
    Point,
    Registration,
    Submission,
    metres_between,
)
from services.registration.refusals import (
    AgencyClosed,
    AgencyUnknown,
    ConsentRequired,
    DeclarationEmptied,
    RegistrationUnknown,
    StepOutOfOrder,
)
from services.registration.retention import Why, emptied
from services.registration.timeline import OPEN, Progress, Status
from shared.events import registration as events
from shared.events.parts import document_told, photos_heard, photos_told
from shared.messaging import outbox
from shared.messaging.outbox import Due, Transaction
from shared.refusals import FieldProblem, Refused

Change = Callable[[Registration], Registration]

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
EMAIL_OTP_TRIES = 5
REMINDERS_DAYS_BEFORE = (7, 1)
EXPIRY_JOB, REMINDER_JOB = "pass_deadline", "remind"
CLOSED = frozenset({Status.REJECTED, Status.EXPIRED, Status.CANCELLED})
"""Endings after which phone and code are free again."""


class Storage(claims.Claims, erasure.Storage, Protocol):
    """Where registrations are kept. ``storage.py`` is the real one, ``tests/unit/fakes.py`` its twin."""

    @property
    def tx(self) -> Transaction: ...

    def add(self, registration: Registration) -> None: ...
    def find(self, registration_id: UUID, *, to_change: bool = False) -> Registration | None:
        """``to_change`` holds it until the transaction ends."""

    def save(self, registration: Registration) -> None: ...
    def progress(self, ids: Sequence[UUID]) -> dict[UUID, Progress]:
        """What the timelines of these are made of, by id."""

    def next_declaration(self) -> int: ...
    def agency(self, code: str) -> Agency | None: ...
    def agencies(self, *, province_code: str | None, name_part: str | None, on: date) -> list[Agency]:
        """Those offered that day, by code; ``name_part`` is found whatever its case and diacritics."""

    def administrative_units(self, *, parent: str | None, on: date) -> list[AdministrativeUnit]:
        """The provinces, or what ``parent`` held that day, in order of code."""

    def administrative_unit(self, code: str, *, on: date) -> AdministrativeUnit | None: ...


@dataclass(frozen=True)
class Key:
    """What a caller shows to reach a registration: its id and the hash of the resume token."""

    registration_id: UUID | None
    token_hash: bytes


NOBODY = bytes(32)
NEAREST = 20
"""As many agencies are told of a place."""


def hold(storage: Storage, key: Key, *, to_change: bool = False) -> Registration:
    """The registration that ``key`` opens. Raises ``RegistrationUnknown``, the same whatever was wrong.

    The hashes are compared in constant time, also where there is no such registration.
    """
    found = None
    if key.registration_id is not None:
        found = storage.find(key.registration_id, to_change=to_change)
    if not opens(key, None if found is None else found.token_hash) or found is None:
        raise RegistrationUnknown()
    return found


def opens(key: Key, token_hash: bytes | None) -> bool:
    """Whether the key is the one of this hash; ``None`` where there is no such registration."""
    return hmac.compare_digest(NOBODY if token_hash is None else token_hash, key.token_hash)


def read_timelines(storage: Storage, keys: Sequence[Key]) -> list[Progress | Refused]:
    """What happened and what comes next, for all that ask at once: the store is asked once."""
    found = storage.progress([key.registration_id for key in keys if key.registration_id])
    answers: list[Progress | Refused] = []
    for key in keys:
        progress = found.get(key.registration_id) if key.registration_id else None
        right = opens(key, None if progress is None else progress.token_hash)
        answers.append(progress if right and progress else RegistrationUnknown())
    return answers


def start(
    storage: Storage, *, registration_id: UUID, token_hash: bytes, language: str, now: datetime
) -> Registration:
    """Step 1: an empty draft."""
    draft = Registration(id=registration_id, language=language, token_hash=token_hash).entry("started", now)
    storage.add(draft)
    return draft


def start_for_child(
    storage: Storage,
    *,
    guardian: Guardian,
    email: str,
    registration_id: UUID,
    token_hash: bytes,
    language: str,
    now: datetime,
) -> Registration:
    """Step 1 for a child: messages go to the guardian's phone and e-mail, which were verified with the
    guardian's account."""
    draft = start(storage, registration_id=registration_id, token_hash=token_hash, language=language, now=now)
    childs = replace(draft, guardian=guardian, email=email, email_verified=True)
    storage.save(childs)
    return childs


def read_declaration(
    storage: Storage, key: Key, raw: object, *, today: date, phone_range_known: Callable[[str], bool]
) -> tuple[Registration, Declaration, tuple[str, ...]]:
    """Step 2, first half: the draft, what was declared, every field looked at, and what the officer should
    look at. Changes nothing.

    Raises ``DeclarationInvalid``.
    """
    draft = hold(storage, key).in_draft()
    declaration = declare(raw, today=today, places=storage, guardian=draft.guardian)
    known = draft.guardian is not None or phone_range_known(declaration.phone)
    return draft, declaration, warnings_of(declaration, phone_range_known=known, places=storage)


def answer_known(draft: Registration, declaration: Declaration) -> Check | None:
    """The register's answer, if it gave one and is not asked anything new by ``declaration``."""
    if draft.declaration is None or draft.check is None or draft.check.outcome == "unavailable":
        return None
    return draft.check if draft.declaration.checked_part == declaration.checked_part else None


def save_declaration(
    storage: Storage, key: Key, declaration: Declaration, *, check: Check, warnings: tuple[str, ...]
) -> Registration:
    """Step 2, second half: the declaration and the register's answer to it, kept together."""
    draft = hold(storage, key, to_change=True).declared(declaration, check, warnings)
    storage.save(draft)
    return draft


def attach_photo(storage: Storage, key: Key, photo: Photo) -> tuple[Registration, str | None]:
    """Step 3: the registration with the photo, and the reference of the one it replaces; attached again,
    it replaces none."""
    draft = hold(storage, key, to_change=True)
    before = (p for p in draft.photos_being_taken if p.kind == photo.kind and p.ref != photo.ref)
    replaced = next((p.ref for p in before), None)
    draft = draft.with_photo(photo)
    storage.save(draft)
    return draft, replaced


def choose_agency(storage: Storage, key: Key, *, agency_code: str, email: str, today: date) -> Registration:
    """Step 4: where the papers will be shown, and the e-mail; a child's stays its guardian's.

    Raises ``AgencyUnknown``, ``AgencyClosed``.
    """
    draft = hold(storage, key, to_change=True)
    see_that_it_is_offered(storage, agency_code, today)
    draft = draft.with_agency(agency_code, email if draft.guardian is None else draft.email or "")
    storage.save(draft)
    return draft


def see_that_it_is_offered(storage: Storage, agency_code: str, today: date) -> None:
    """Raises ``AgencyUnknown``, and ``AgencyClosed`` naming the agency that took over."""
    agency = storage.agency(agency_code)
    if agency is None:
        raise AgencyUnknown()
    if not agency.is_offered(today):
        successor = storage.agency(agency.successor) if agency.successor else None
        raise AgencyClosed(successor.display_name if successor else None)


def find_agencies(
    storage: Storage,
    *,
    province_code: str | None,
    commune_code: str | None,
    name_part: str | None,
    near: Point | None,
    today: date,
) -> list[tuple[Agency, int | None]]:
    """The agencies offered, each with its distance in metres from ``near``, nearest first, or in order of
    code where there is no such place. Of a commune: those of its province, from its middle."""
    if commune_code is not None:
        commune = storage.administrative_unit(commune_code, on=today)
        if commune is None or province_code not in (None, commune.parent):
            return []
        province_code = commune.parent or commune.code
        if near is None and commune.latitude is not None and commune.longitude is not None:
            near = Point(commune.latitude, commune.longitude)
    found = storage.agencies(province_code=province_code, name_part=name_part, on=today)
    if near is None:
        return [(agency, None) for agency in found]
    away = sorted((metres_between(near, agency.point), agency.code, agency) for agency in found)
    return [(agency, metres) for metres, _, agency in away[:NEAREST]]


def request_email_otp(
    storage: Storage, key: Key, *, otp: EmailOtp, sealed_otp: str, now: datetime
) -> Registration:
    """A new code is on its way to the e-mail; the one before it is void.

    ``otp.email`` is the address it was made for; raises ``StepOutOfOrder`` when the draft has another by now.
    """
    draft = hold(storage, key, to_change=True).with_otp(otp)
    storage.save(draft)
    outbox.add(
        storage.tx,
        events.EMAIL_OTP_REQUESTED.event(
            subject=draft.id,
            correlation_id=draft.id,
            at=now,
            data={
                "registration_id": draft.id,
                "email": otp.email,
                "sealed_otp": sealed_otp,
                "valid_until": otp.valid_until,
                "language": draft.language,
            },
        ),
    )
    return draft


def confirm_email_otp(
    storage: Storage, key: Key, *, keyed_hash: str, now: datetime
) -> tuple[Registration, Refused | None]:
    """One try of the code. The refusal is returned, so that the try is kept with the commit."""
    draft = hold(storage, key, to_change=True)
    expected = draft.email_otp.keyed_hash if draft.email_otp else ""
    draft, refusal = draft.try_otp(hmac.compare_digest(expected, keyed_hash), now)
    storage.save(draft)
    return draft, refusal


def submit(
    storage: Storage,
    key: Key,
    *,
    consent_version: str,
    in_force: Mapping[str, ConsentText],
    visit_deadline_days: int,
    now: datetime,
) -> Registration:
    """The declaration is submitted, phone and code are claimed. Done before: the same answer, nothing again.

    ``in_force`` is the text that has to be agreed to, by language.
    Raises ``StepOutOfOrder`` naming what is missing, ``PhoneTaken``, ``CodeTaken``, ``ConsentRequired``.
    """
    draft = hold(storage, key, to_change=True)
    if draft.submission is not None:
        return draft
    draft.in_draft(*domain.MISSING)
    text = in_force[draft.language]
    if consent_version != text.version:
        vi, en = f"Phiên bản hiện hành: {text.version}.", f"In force: {text.version}."
        raise ConsentRequired(FieldProblem("consent_version", vi, en))
    declaration = draft.declaration
    assert declaration is not None  # in_draft made sure of it
    see_that_it_is_offered(storage, draft.agency_code or "", now.astimezone(VIETNAM).date())
    claims.claim(storage, claim_of(draft, declaration))
    number = domain.declaration_number(storage.next_declaration(), now.astimezone(VIETNAM).year)
    deadline = domain.visit_deadline(now, visit_deadline_days)
    agreed_to = ConsentGiven(text.language, text.sha256)
    names = names_of(storage, draft, declaration, now.astimezone(VIETNAM).date())
    submitted = draft.submitted(Submission(number, now, deadline, consent_version, agreed_to, names))
    storage.save(submitted)
    outbox.add(
        storage.tx,
        events.SUBMITTED.event(
            subject=draft.id,
            correlation_id=draft.id,
            at=now,
            data=submission_data(storage, submitted, declaration),
        ),
    )
    visit_falls_due(storage, submitted, deadline, now)
    return submitted


def claim_of(registration: Registration, declaration: Declaration) -> Claim:
    """What an application holds; a child's phone is its guardian's, and not held."""
    phone = declaration.phone if registration.guardian is None else ""
    return Claim(registration.id, phone, frozenset(declaration.numbers))


def visit_falls_due(storage: Storage, registration: Registration, deadline: datetime, now: datetime) -> None:
    """The expiry and its reminders. A child makes no visit: its case waits for the officer."""
    if registration.guardian is not None:
        return
    outbox.add(storage.tx, Due(EXPIRY_JOB, key=str(registration.id), at=max(deadline, now)))
    for days in REMINDERS_DAYS_BEFORE:
        reminded_at = deadline - timedelta(days=days)
        if reminded_at > now:
            outbox.add(storage.tx, Due(REMINDER_JOB, key=f"{registration.id} {days}", at=reminded_at))


def names_of(storage: Storage, registration: Registration, declaration: Declaration, on: date) -> Names:
    """What agency and address are called on that day."""
    agency = storage.agency(registration.agency_code or "")
    named = agency.display_name if agency else registration.agency_code or ""
    words = in_words(declaration.address, storage, on)
    return Names(named, words["text"] or "", words["former_text"])


def read_submitted(storage: Storage, key: Key) -> Registration:
    """A declaration that was submitted, with its names. Raises ``StepOutOfOrder`` for a draft, and
    ``DeclarationEmptied`` once it is gone."""
    held = hold(storage, key)
    if held.is_emptied:
        raise DeclarationEmptied()
    if held.submission is None or held.declaration is None:
        raise StepOutOfOrder(status=held.status.value)
    if held.submission.names is not None:
        return held
    names = names_of(storage, held, held.declaration, held.submission.at.astimezone(VIETNAM).date())
    return replace(held, submission=replace(held.submission, names=names))


def submission_data(storage: Storage, registration: Registration, declaration: Declaration) -> dict[str, Any]:
    """The body of registration.submitted.v1."""
    submission, check = registration.submission, registration.check
    assert submission is not None  # both are there once submitted
    assert check is not None
    return {
        "registration_id": registration.id,
        "declaration_number": submission.declaration_number,
        "person": {
            "code": declaration.code,
            "personal_number": declaration.personal_number,
            "full_name": declaration.full_name,
            "birth": declaration.birth,
            "sex": declaration.sex,
        },
        "document": document_told(
            declaration.document.kind,
            declaration.document.number,
            child_number=declaration.personal_number or declaration.code,
        ),
        "phone": declaration.phone,
        "email": registration.email,
        "address": asdict(declaration.address)
        | in_words(declaration.address, storage, submission.at.astimezone(VIETNAM).date()),
        "agency_code": registration.agency_code,
        **photos_told(registration.photos_kept),
        "register_check": check,
        "warnings": registration.warnings,
        "consent": {"version": submission.consent_version, "at": submission.at},
        "deadline": submission.deadline,
        "guardian": registration.guardian,
        "language": registration.language,
    }


def cancel(storage: Storage, key: Key, *, now: datetime) -> Registration:
    """A draft is closed at once; a submitted application asks its case to close, once."""
    before = hold(storage, key, to_change=True)
    after = before.cancelled_by_citizen(now)
    ask_to_close(storage, before, after, now)
    return after


def pass_deadline(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The deadline has passed: the case is asked to close, if it is still open."""
    before = storage.find(registration_id, to_change=True)
    if before is not None:
        ask_to_close(storage, before, before.close_requested_for("deadline_passed", now), now)


def ask_to_close(storage: Storage, before: Registration, after: Registration, now: datetime) -> None:
    if after == before:
        return
    storage.save(after)
    if after.close_requested != before.close_requested:
        data = close_request(after.id, after.close_requested or "")
        outbox.add(
            storage.tx,
            events.CLOSE_REQUESTED.event(subject=after.id, correlation_id=after.id, at=now, data=data),
        )


def close_request(registration_id: UUID, reason: str) -> dict[str, Any]:
    """The body of registration.close_requested.v1, whose published reasons do not know ``superseded``."""
    if reason == "superseded":
        return {"registration_id": registration_id, "reason": "cancelled", "because": reason}
    return {"registration_id": registration_id, "reason": reason}


def claim_phone(storage: Storage, *, numbers: frozenset[str], phone: str, now: datetime) -> bool:
    """A change of contact at the desk: the account's phone from now on. False while an open application,
    which is asked to close, still holds it: whoever stands at the desk supersedes one who was not seen yet.

    Raises ``AccountUnknown``, ``PhoneTaken``.
    """
    in_the_way = claims.move_phone(storage, numbers, phone)
    for registration_id in in_the_way:
        before = storage.find(registration_id, to_change=True)
        if before is not None:
            ask_to_close(storage, before, before.close_requested_for("superseded", now), now)
    return not in_the_way


def remind(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The visit is still to come and its deadline near: a message is due, and the timeline tells of it."""
    held = storage.find(registration_id, to_change=True)
    reminded = held and held.reminded(now)
    if reminded is None or reminded.declaration is None or reminded.submission is None:
        return
    agency = storage.agency(reminded.agency_code or "")
    if agency is None:
        return
    storage.save(reminded)
    data = {
        "registration_id": reminded.id,
        "phone": reminded.declaration.phone,
        "email": reminded.email,
        "agency": agency,
        "deadline": reminded.submission.deadline,
        "language": reminded.language,
    }
    event = events.REMINDER_DUE.event(subject=reminded.id, correlation_id=reminded.id, at=now, data=data)
    outbox.add(storage.tx, event)


# -- after a restore: what is told again, what is taken back (``vssid reconcile``) --


def tell_submitted_again(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The case was lost: registration.submitted once more, as of then. Of an application that has ended or
    asked to end since, the request to close goes with it."""
    held = storage.find(registration_id, to_change=True)
    if held is None or held.submission is None or held.declaration is None:
        return
    data = submission_data(storage, held, held.declaration)
    at = held.submission.at
    outbox.add(storage.tx, events.SUBMITTED.event(subject=held.id, correlation_id=held.id, at=at, data=data))
    ask_to_close_again(storage, registration_id, now=now)


def ask_to_close_again(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The case does not know that the application has ended, or asked to end."""
    held = storage.find(registration_id, to_change=True)
    if held is None or held.submission is None:
        return
    if held.close_requested is not None or held.status in CLOSED:
        data = close_request(held.id, held.close_requested or "cancelled")
        outbox.add(
            storage.tx,
            events.CLOSE_REQUESTED.event(subject=held.id, correlation_id=held.id, at=now, data=data),
        )


def take_back(
    storage: Storage, submitted: Mapping[str, Any], *, has_ended: bool, token_hash: bytes, now: datetime
) -> None:
    """An application that was lost here, from what its case knows: the data of registration.submitted.

    A draft keeps its resume token; one that is gone altogether gets ``token_hash``, which nobody can open:
    its citizen goes on at the desk. ``has_ended``: its case gave phone and code free. Raises ``PhoneTaken``
    or ``CodeTaken`` when somebody else claimed one meanwhile.
    """
    known = storage.find(submitted["registration_id"], to_change=True)
    if known is not None and known.status is not Status.DRAFT:
        return
    at: datetime = submitted["consent"]["at"]
    draft = known or start(
        storage,
        registration_id=submitted["registration_id"],
        token_hash=token_hash,
        language=submitted["language"],
        now=at,
    )
    taken = draft.taken_back({**submitted, "photos": photos_heard(submitted)}, at)
    if not has_ended:
        assert taken.declaration is not None
        claims.claim(storage, claim_of(taken, taken.declaration))
    storage.save(taken)
    visit_falls_due(storage, taken, submitted["deadline"], now)


def end_emptied(storage: Storage, registration_id: UUID, *, reason: str | None, at: datetime) -> None:
    """How its case ended, ``reason`` why it was closed, none where it was rejected. The case was emptied
    since and cannot tell it, its person was told then: the application ends, emptied as well."""
    status, detail = closed_as(reason) if reason else (Status.REJECTED, None)

    def ended(held: Registration) -> Registration:
        return replace(held.ended(status, at, detail), erased_at=at) if held.status in OPEN else held

    note(storage, registration_id, ended)


# -- what others report; each may come late, early or twice (``domain.py`` says what then) --


def note_check(storage: Storage, registration_id: UUID, *, outcome: str, at: datetime) -> None:
    note(storage, registration_id, lambda held: held.checked(outcome, at))


def send_supplement(storage: Storage, key: Key, *, answer: str, now: datetime) -> Registration:
    """What the officer asked for goes to the case, with every photo there is by now. Again: nothing.

    Raises ``StepOutOfOrder`` naming what is missing.
    """
    before = hold(storage, key, to_change=True)
    after = before.supplemented(answer, now)
    if after == before:
        return after
    storage.save(after)
    data = {"registration_id": after.id, **photos_told(after.photos_kept), "note": answer or None}
    outbox.add(
        storage.tx,
        events.SUPPLEMENTED.event(subject=after.id, correlation_id=after.id, at=now, data=data),
    )
    return after


def note_supplement(
    storage: Storage, registration_id: UUID, *, text: str | None, at: datetime, items: tuple[str, ...] = ()
) -> None:
    note(storage, registration_id, lambda held: held.supplement_asked(text, at, items))


def note_verified(storage: Storage, registration_id: UUID, *, at: datetime, was_known: bool = False) -> None:
    """``was_known``: verified earlier, and not sent to the desk again (guide row G13)."""
    note(storage, registration_id, lambda held: held.verified(at, was_known=was_known))
    claims.settle(storage, registration_id)


def note_issued(
    storage: Storage, registration_id: UUID, *, credential_id: UUID, at: datetime, is_link: bool = False
) -> None:
    note(storage, registration_id, lambda held: held.issued(credential_id, at, is_link=is_link))


def note_rejected(storage: Storage, registration_id: UUID, *, reason: str, at: datetime) -> None:
    note(storage, registration_id, lambda held: held.ended(Status.REJECTED, at, reason))


def note_closed(storage: Storage, registration_id: UUID, *, reason: str, at: datetime) -> None:
    status, detail = closed_as(reason)
    note(storage, registration_id, lambda held: held.ended(status, at, detail))


def closed_as(reason: str) -> tuple[Status, str | None]:
    """The status of an application whose case was closed, and the detail of that line."""
    status = Status.EXPIRED if reason == "deadline_passed" else Status.CANCELLED
    return status, reason if reason == "superseded" else None


def note_message(
    storage: Storage, registration_id: UUID, *, credential_id: UUID, outcome: str, at: datetime
) -> None:
    """The SMS with the password was ``sent``, ``delivered`` or ``failed``, the e-mail with the link
    ``link_sent`` or ``link_failed``."""
    steps = {
        "sent": Registration.password_sent,
        "delivered": Registration.password_delivered,
        "failed": Registration.password_failed,
        "link_sent": Registration.link_sent,
        "link_failed": Registration.link_failed,
    }
    note(storage, registration_id, lambda held: steps[outcome](held, credential_id, at))


def note_followed(
    storage: Storage, registration_id: UUID, *, credential_id: UUID, step: str, at: datetime
) -> None:
    """What became of a password beyond its messages, as identity says (``credentials.followed``)."""
    changes: dict[str, Change] = {
        "counter_due": lambda held: held.counter_due(credential_id, at),
        "handed_over": lambda held: held.handed_over(credential_id, at),
        "logged_in": lambda held: held.password_used(credential_id, at),
        "activated": lambda held: held.password_used(credential_id, at, is_link=True),
    }
    note(storage, registration_id, changes[step])


def note(storage: Storage, registration_id: UUID, change: Change) -> None:
    """Apply a change to a registration if it is known; an ending that closes it frees phone and code, and
    empties what its person had erased while it was under way."""
    before = storage.find(registration_id, to_change=True)
    if before is None:
        return
    after = emptied(change(before))
    if after == before:
        return
    storage.save(after)
    if after.status in CLOSED and before.status not in CLOSED:
        storage.free_claims(registration_id)
        if after.is_emptied:
            erasure.note_emptied(storage, after, Why.REQUEST, after.timeline[-1].at)
