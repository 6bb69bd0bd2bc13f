"""An application: its steps, its statuses, and what each event does to it. Standard library only.

``draft → submitted → awaiting_visit → verified → completed``, and ``supplement_requested``, ``rejected``,
``expired``, ``cancelled``. Events come late, early or twice: a step implies the ones before it, the first
ending stays, and what is already known changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from services.registration.address import Address
from services.registration.declaration import BIRTH_CERTIFICATE, Birth, Declaration, Document, Guardian
from services.registration.refusals import (
    MISSING,
    OtpExpired,
    OtpWrong,
    PhotoKindUnknown,
    PhotoNotNeeded,
    StepOutOfOrder,
)
from services.registration.submission import Submission
from services.registration.timeline import (
    CERTAIN,
    COUNTER_DUE,
    FAILURES,
    LATE,
    OPEN,
    RECEIVED,
    REISSUED,
    SETTLED,
    USED,
    Entry,
    Status,
)
from shared.refusals import FieldProblem, Refused

ID_PHOTOS = ("id_front", "id_back")
PHOTO_KINDS = ("portrait", *ID_PHOTOS, "birth_certificate")
"""The last is for children, who have no ID document yet."""


@dataclass(frozen=True)
class Check:
    """The register's answer about the declaration: ``matched``, ``photos_needed`` or ``unavailable``."""

    request_id: UUID
    outcome: str


@dataclass(frozen=True)
class Photo:
    """A cleaned photo in the object store."""

    kind: str
    ref: str
    sha256: str
    size_bytes: int


ANSWER = "answer"
"""What an officer may ask for besides photos: a written answer to the note."""


@dataclass(frozen=True)
class Supplement:
    """What an officer asked for, the photos taken for it, and the earlier ones whose place they took, which
    an officer may be looking at still."""

    items: tuple[str, ...]
    note: str | None
    asked_at: datetime
    photos: tuple[Photo, ...] = ()
    replaced: tuple[Photo, ...] = ()
    answered_at: datetime | None = None


@dataclass(frozen=True)
class EmailOtp:
    """The one code in force: only its keyed hash, and the address it was sent to."""

    keyed_hash: str
    email: str = field(repr=False)
    valid_until: datetime
    tries_left: int


@dataclass(frozen=True)
class Registration:
    """An application as it stands."""

    id: UUID
    language: str
    token_hash: bytes = field(repr=False)
    status: Status = Status.DRAFT
    declaration: Declaration | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    check: Check | None = None
    photos: tuple[Photo, ...] = ()
    agency_code: str | None = None
    email: str | None = field(default=None, repr=False)
    email_verified: bool = False
    email_otp: EmailOtp | None = None
    submission: Submission | None = None
    close_requested: str | None = None
    timeline: tuple[Entry, ...] = ()
    supplement: Supplement | None = None
    guardian: Guardian | None = None
    """Of a child: who registers it, and gets its messages."""
    erased_at: datetime | None = None
    """When its person had erased what no duty keeps, or its time was over (``retention.erased``)."""

    # -- what is there and what is missing --

    @property
    def is_emptied(self) -> bool:
        """Submitted once, and without what was personal by now."""
        return self.submission is not None and self.declaration is None

    @property
    def outcome(self) -> str | None:
        """What the citizen learns of the register check: it was ``matched``, or photos are needed."""
        if self.check is None:
            return None
        return "matched" if self.check.outcome == "matched" else "photos_needed"

    @property
    def photos_needed(self) -> tuple[str, ...]:
        """The kinds this application must have: both sides of the ID document unless the register matched; of
        a child always its birth certificate, by which an officer confirms the guardianship."""
        if self.guardian is not None:
            return ("portrait", "birth_certificate")
        return ("portrait",) if self.outcome in (None, "matched") else ("portrait", *ID_PHOTOS)

    @property
    def photos_kept(self) -> tuple[Photo, ...]:
        """The photos that belong to the application: those that are needed, or were asked for later."""
        asked = self.supplement.items if self.supplement else ()
        return tuple(photo for photo in self.photos if photo.kind in (*self.photos_needed, *asked))

    @property
    def supplement_due(self) -> Supplement | None:
        """The supplement that the citizen is to send."""
        return self.supplement if self.status is Status.SUPPLEMENT_REQUESTED else None

    @property
    def photos_being_taken(self) -> tuple[Photo, ...]:
        """Those that a photo of the same kind would replace at once."""
        return self.supplement_due.photos if self.supplement_due else self.photos

    @property
    def missing(self) -> tuple[str, ...]:
        have = {photo.kind for photo in self.photos}
        absent = {
            "declaration": self.declaration is None,
            **{f"photos.{kind}": kind not in have for kind in self.photos_needed},
            "agency": self.agency_code is None or self.email is None,
            "email": not self.email_verified,
        }
        return tuple(name for name, is_absent in absent.items() if is_absent)

    @property
    def steps(self) -> dict[str, str]:
        """Each of the four steps: ``missing`` or ``done``."""
        missing = {name.split(".")[0] for name in self.missing}
        return {
            step: "missing" if step in missing else "done"
            for step in ("declaration", "photos", "agency", "email")
        }

    # -- steps of the draft --

    def in_draft(self, *needed: str) -> Self:
        """Itself, while it is a draft that has what ``needed`` names; else raises ``StepOutOfOrder``."""
        if self.status is not Status.DRAFT:
            raise StepOutOfOrder(status=self.status.value)
        missing = [name for name in self.missing if name in needed]
        if missing:
            raise StepOutOfOrder(*(FieldProblem(name, *MISSING[name]) for name in missing), status="draft")
        return self

    def declared(self, declaration: Declaration, check: Check, warnings: tuple[str, ...]) -> Self:
        """Step 2 taken, or taken again: photos of another ID document, or of another child's birth
        certificate, no longer count."""
        self.in_draft()
        before = self.declaration
        same_document = before is not None and before.document == declaration.document
        if declaration.document == BIRTH_CERTIFICATE:
            same_document = before is not None and before.code == declaration.code
        photos = self.photos if same_document else tuple(p for p in self.photos if p.kind == "portrait")
        return replace(self, declaration=declaration, check=check, warnings=warnings, photos=photos)

    def ready_for_photo(self, kind: str) -> Self:
        """Itself, if a photo of this kind is asked for now."""
        if kind not in PHOTO_KINDS:
            raise PhotoKindUnknown()
        if self.supplement_due is not None:
            if kind not in self.supplement_due.items:
                raise PhotoNotNeeded()
            return self
        if kind not in self.in_draft("declaration").photos_needed:
            raise PhotoNotNeeded()
        return self

    def with_photo(self, photo: Photo) -> Self:
        """Step 3, or for a supplement: a photo taken, in place of an earlier one of its kind."""
        ready = self.ready_for_photo(photo.kind)
        photos = (*(p for p in ready.photos_being_taken if p.kind != photo.kind), photo)
        if self.supplement_due is not None:
            return replace(self, supplement=replace(self.supplement_due, photos=photos))
        return replace(self, photos=photos)

    def with_agency(self, agency_code: str, email: str) -> Self:
        """Step 4. Another e-mail has to be confirmed anew, and a code sent to the old one is void."""
        chosen = replace(self.in_draft("declaration"), agency_code=agency_code, email=email)
        return chosen if email == self.email else replace(chosen, email_verified=False, email_otp=None)

    def ready_for_otp(self) -> Self:
        """Itself, if its e-mail is there and waits to be confirmed."""
        self.in_draft("agency")
        if self.email_verified:
            raise StepOutOfOrder(
                FieldProblem("email", "E-mail đã được xác nhận.", "The e-mail is already confirmed."),
                status="draft",
            )
        return self

    def with_otp(self, otp: EmailOtp) -> Self:
        """A code on its way; it replaces the one before. Not when the e-mail was changed meanwhile."""
        if self.ready_for_otp().email != otp.email:
            raise StepOutOfOrder(FieldProblem("email", *MISSING["email"]), status="draft")
        return replace(self, email_otp=otp)

    def try_otp(self, keyed_hash_matches: bool, now: datetime) -> tuple[Self, Refused | None]:
        """The code tried once: the registration afterwards, and the refusal if it was not accepted.

        The refusal is returned, not raised: a try that failed has to be kept.
        """
        otp = self.in_draft().email_otp
        if otp is None or otp.email != self.email or now >= otp.valid_until or otp.tries_left < 1:
            return replace(self, email_otp=None), OtpExpired()
        if keyed_hash_matches:
            return replace(self, email_otp=None, email_verified=True), None
        left = otp.tries_left - 1
        return replace(self, email_otp=replace(otp, tries_left=left)), OtpWrong(tries_left=left)

    def submitted(self, submission: Submission) -> Self:
        return replace(self.in_draft(*MISSING), status=Status.SUBMITTED, submission=submission).entry(
            "submitted", submission.at
        )

    def taken_back(self, told: Mapping[str, Any], at: datetime) -> Self:
        """Submitted at ``at``, as registration.submitted told it: for what a restore has lost here."""
        person, check, guardian = told["person"], told["register_check"], told["guardian"]
        declaration = Declaration(
            code=person["code"],
            full_name=person["full_name"],
            birth=Birth(**person["birth"]),
            sex=person["sex"],
            document=Document(**told["document"]) if guardian is None else BIRTH_CERTIFICATE,
            phone=told["phone"],
            address=Address.of(told["address"]),
        )
        number, version = told["declaration_number"], told["consent"]["version"]
        return replace(
            self,
            status=Status.SUBMITTED,
            declaration=declaration,
            warnings=tuple(told["warnings"]),
            check=Check(check["request_id"], check["outcome"]),
            photos=tuple(Photo(size_bytes=0, **photo) for photo in told["photos"]),
            agency_code=told["agency_code"],
            email=told["email"],
            email_verified=True,
            email_otp=None,
            submission=Submission(number, at, told["deadline"], version),
            guardian=guardian and Guardian(**guardian, phone=told["phone"]),
        ).entry("submitted", at)

    def cancelled_by_citizen(self, now: datetime) -> Self:
        """A draft closes at once. After submission the case alone decides: this is a request to it."""
        if self.status is Status.DRAFT:
            return replace(self, status=Status.CANCELLED, email_otp=None).entry("cancelled", now)
        return self.close_requested_for("cancelled", now)

    def close_requested_for(self, reason: str, now: datetime) -> Self:
        """The case was asked to close, once, while it is open; in any other status nothing changes."""
        if self.status not in OPEN or self.close_requested is not None:
            return self
        step = {
            "cancelled": "cancel_requested",
            "deadline_passed": "deadline_passed",
            "superseded": "supersede_requested",
        }[reason]
        return replace(self, close_requested=reason).entry(step, now)

    # -- what the case and the messages do to it --

    def checked(self, outcome: str, at: datetime) -> Self:
        """identity.checked: the case is open. ``unavailable`` coming late never replaces an answer."""
        if self.submission is None or self.check is None:
            return self
        waiting = replace(self, status=Status.AWAITING_VISIT) if self.status is Status.SUBMITTED else self
        opened = (
            waiting.entry_once("awaiting_visit", at) if waiting.status is Status.AWAITING_VISIT else waiting
        )
        if self.status not in OPEN or outcome in ("unavailable", self.check.outcome):
            return opened
        return replace(opened, check=replace(self.check, outcome=outcome)).entry(
            "register_checked", at, outcome
        )

    def supplement_asked(self, note: str | None, at: datetime, items: tuple[str, ...] = ()) -> Self:
        """identity.supplement_requested: ignored once the case is decided. Of two the one asked last counts,
        whichever comes first; photos taken for the one before are kept."""
        before = self.supplement
        if self.status not in OPEN or (before is not None and at <= before.asked_at):
            return self
        taken = before.photos if before is not None and before.answered_at is None else ()
        asked = Supplement(items, note, at, taken, before.replaced if before else ())
        detail = note or ", ".join(items) or None
        return replace(self, status=Status.SUPPLEMENT_REQUESTED, supplement=asked).entry(
            "supplement_requested", at, detail
        )

    def supplemented(self, answer: str, now: datetime) -> Self:
        """What was asked for is sent: the case goes on. Sent before: nothing again.

        Raises ``StepOutOfOrder`` naming what is missing.
        """
        due = self.supplement_due
        if due is None:
            if self.supplement is not None and self.status in OPEN:
                return self
            raise StepOutOfOrder(status=self.status.value)
        have = {photo.kind for photo in due.photos}
        missing = [f"photos.{item}" for item in due.items if item not in (ANSWER, *have)]
        missing += [ANSWER] if ANSWER in due.items and not answer else []
        if missing:
            raise StepOutOfOrder(*(FieldProblem(n, *MISSING[n]) for n in missing), status=self.status.value)
        sent = tuple(photo for photo in due.photos if photo.kind in due.items)
        kinds = {photo.kind for photo in sent}
        kept = tuple(photo for photo in self.photos if photo.kind not in kinds)
        replaced = tuple(photo for photo in self.photos if photo.kind in kinds)
        done = replace(due, answered_at=now, replaced=(*due.replaced, *replaced))
        return replace(self, status=Status.AWAITING_VISIT, photos=(*kept, *sent), supplement=done).entry(
            "supplemented", now
        )

    def verified(self, at: datetime, *, was_known: bool = False) -> Self:
        """identity.verified, of somebody who ``was_known`` without the desk. After ``credentials.issued``
        came first it says nothing new."""
        if self.status not in OPEN:
            return self
        detail = "reused" if was_known else None if self.guardian is None else "guardianship"
        return replace(self, status=Status.VERIFIED, email_otp=None).entry("verified", at, detail)

    def issued(
        self, credential_id: UUID, at: datetime, valid_until: datetime | None = None, *, is_link: bool = False
    ) -> Self:
        """credentials.issued or .link_issued: implies that the identity was verified, should that event be
        late. A later one replaces the one before; of an earlier one nothing is told any more. ``valid_until``
        is in these events alone, which may come after those of the messages."""
        known = self.verified(at)
        newest = known.newest_credential
        if known.status not in SETTLED:
            return known
        if newest is None or credential_id > newest:
            if is_link:
                known = known.entry("credentials_link_issued", at, None, credential_id)
            elif newest is None:
                known = known.entry_once("credentials_issued", at, credential_id)
            else:
                known = known.entry("credentials_replaced", at, None, credential_id)
        return known.with_validity(credential_id, valid_until)

    def with_validity(self, credential_id: UUID, valid_until: datetime | None) -> Self:
        """Until when a password is good is kept with its first line."""
        lines = list(self.timeline)
        for number, line in enumerate(lines):
            if line.credential_id == credential_id and valid_until is not None:
                lines[number] = replace(line, valid_until=line.valid_until or valid_until)
                break
        return replace(self, timeline=tuple(lines))

    def reissued(self, credential_id: UUID, at: datetime, valid_until: datetime | None) -> Self:
        """The hotline read a password aloud in place of the one, or the link, that waited: that is void. The
        search for a way to the phone goes on: what it has come to since, the counter, stays the last word."""
        known, newest = self.verified(at), self.newest_credential
        if known.status not in SETTLED:
            return known
        since = any(line.step == COUNTER_DUE and line.at > at for line in known.timeline)
        if not since and (newest is None or credential_id > newest):
            known = replace(known, status=Status.COMPLETED).entry_once(REISSUED, at, credential_id)
        return known.with_validity(credential_id, valid_until)

    def password_sent(self, credential_id: UUID, at: datetime) -> Self:
        """The SMS with the password went out: the application is completed, whatever else is late."""
        known = self.issued(credential_id, at)
        if known.status not in SETTLED:
            return known
        return replace(known, status=Status.COMPLETED).tell_password("credentials_sent", credential_id, at)

    def password_delivered(self, credential_id: UUID, at: datetime) -> Self:
        """The phone has received it: it must have been sent. One that had been given up and replaced is told
        too, as whoever reads that SMS last must know that its password is not the one that counts."""
        known = self.password_sent(credential_id, at)
        told = {entry.step for entry in known.timeline if entry.credential_id == credential_id}
        given_up = "credentials_failed" in told and not RECEIVED & told
        if given_up and known.newest_credential != credential_id:
            return known.entry_once(LATE, at, credential_id)
        return known.tell_password("credentials_delivered", credential_id, at)

    def password_failed(self, credential_id: UUID, at: datetime) -> Self:
        """The SMS did not reach the phone: the citizen is told where to turn; the status stays."""
        return self.issued(credential_id, at).tell_password("credentials_failed", credential_id, at)

    def link_sent(self, credential_id: UUID, at: datetime) -> Self:
        """The e-mail with the link to choose a password went out; of e-mail no more is known."""
        known = self.issued(credential_id, at, is_link=True)
        if known.status not in SETTLED:
            return known
        done = replace(known, status=Status.COMPLETED)
        return done.tell_password("credentials_link_sent", credential_id, at)

    def link_failed(self, credential_id: UUID, at: datetime) -> Self:
        """The e-mail with the link did not go out, or nobody knows."""
        known = self.issued(credential_id, at, is_link=True)
        return known.tell_password("credentials_link_failed", credential_id, at)

    def counter_due(self, credential_id: UUID, at: datetime) -> Self:
        """Neither SMS nor e-mail arrived: the agency hands the account over at its counter. A call to the
        hotline before that does not hide it: who called may be a stranger."""
        known = self.issued(credential_id, at)
        newest = known.newest_credential or credential_id
        called = (line for line in known.timeline if (line.step, line.credential_id) == (REISSUED, newest))
        told_of = newest if any(line.at <= at for line in called) else credential_id
        return known.tell_password(COUNTER_DUE, told_of, at)

    def handed_over(self, credential_id: UUID, at: datetime, valid_until: datetime | None = None) -> Self:
        """The account was handed over at the counter, with a password of its own."""
        known = self.issued(credential_id, at, valid_until)
        if known.status not in SETTLED:
            return known
        done = replace(known, status=Status.COMPLETED)
        return done.tell_password("credentials_handed_over", credential_id, at)

    def password_used(self, credential_id: UUID, at: datetime, *, is_link: bool = False) -> Self:
        """Somebody has logged in with it for the first time, or chosen a password by the link: it arrived."""
        known = self.issued(credential_id, at, is_link=is_link)
        if known.status not in SETTLED:
            return known
        detail = "link" if is_link else None
        done = replace(known, status=Status.COMPLETED)
        return done.tell_password("credentials_used", credential_id, at, detail)

    @property
    def newest_credential(self) -> UUID | None:
        """The password that counts: identity's ids are UUIDv7, a later one sorts later."""
        return max((entry.credential_id for entry in self.timeline if entry.credential_id), default=None)

    def tell_password(self, step: str, credential_id: UUID, at: datetime, detail: str | None = None) -> Self:
        """How far a password came, while it counts. ``sent`` and ``delivered`` from before a failure say
        nothing new, nor does a failure once it was received, nor anything once it was used."""
        if self.status not in SETTLED or (self.newest_credential or credential_id) != credential_id:
            return self
        told = {e.step: e.at for e in self.timeline if e.credential_id == credential_id}
        if USED in told or (step != USED and RECEIVED & set(told)):
            return self
        failed = max((told[failure] for failure in FAILURES & set(told)), default=None)
        if step not in CERTAIN and failed is not None and at <= failed:
            return self
        return self.entry_once(step, at, credential_id, detail)

    def ended(self, status: Status, at: datetime, detail: str | None = None) -> Self:
        """identity.rejected or identity.closed: the first ending stays."""
        if self.status not in OPEN:
            return self
        return replace(self, status=status).entry(status.value, at, detail)

    # -- the timeline --

    def entry(
        self, step: str, at: datetime, detail: str | None = None, credential_id: UUID | None = None
    ) -> Self:
        last = self.timeline[-1].at if self.timeline else at
        return replace(self, timeline=(*self.timeline, Entry(step, max(at, last), detail, credential_id)))

    def entry_once(
        self, step: str, at: datetime, credential_id: UUID | None = None, detail: str | None = None
    ) -> Self:
        """A line that there is once, or once for each password."""
        told = {(entry.step, entry.credential_id) for entry in self.timeline}
        if told & {(step, credential_id), (step, None)}:
            return self
        return self.entry(step, at, detail, credential_id)

    def reminded(self, now: datetime) -> Self | None:
        """Told of a visit that is still to come; None where there is none, or its time has passed."""
        waits = self.status in OPEN and self.close_requested is None
        if not waits or self.submission is None or now >= self.submission.deadline:
            return None
        return self.entry("reminded", now)
