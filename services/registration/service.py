"""Registration's entrypoints: translate, open the transaction, call one use case, answer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils

from services.registration import erasure, gauges, jobs, register_check, schemas, use_cases, views
from services.registration.agency import Point
from services.registration.contacts import email_address, phone_range_known
from services.registration.declaration import Guardian, guardians_relation
from services.registration.declaration_pdf import declaration_pdf
from services.registration.domain import EmailOtp, Registration
from services.registration.parts import parts_of
from services.registration.refusals import ConsentUnknown, OtpTooMany, OtpUnavailable
from services.registration.storage import Storage
from services.registration.taken import told_rarely
from services.registration.use_cases import Key
from shared.cache import CacheUnavailable
from shared.events import account as account_events
from shared.events import credentials as credentials_events
from shared.events import identity as identity_events
from shared.events import notification as notification_events
from shared.messaging.dependencies import Database, Gauges, Parts
from shared.messaging.jobs import job
from shared.messaging.listener import on_event
from shared.messaging.rpc import Client, rpc
from shared.otp import keyed_hash, new_otp
from shared.refusals import Refused

RESUME_TOKEN_BYTES = 32
EMAIL_OTP = "vssid-email-otp"


class RegistrationService:
    """A citizen's application, from the draft to the account that works."""

    name = "registration"

    db = Database()
    parts = Parts(parts_of)
    gauges = Gauges(gauges.read)
    identity = Client("identity", "check_citizen", "guardian")

    # -- the steps --

    @rpc(writes=True)
    def start(self, tx: Any, **request: Any) -> dict[str, Any]:
        """Step 1. Hands out the resume token, sealed to the gateway; only its hash is kept."""
        asked = schemas.load(schemas.Start, request)
        token = secrets.token_urlsafe(RESUME_TOKEN_BYTES)
        storage = Storage(tx)
        draft = use_cases.start(
            storage,
            registration_id=UUID(bytes=uuid_utils.uuid7().bytes),
            token_hash=hash_of(token),
            language="en" if asked["language"] == "en" else "vi",
            now=now(),
        )
        return {**shown(storage, draft), "sealed_resume_token": self.parts.sealer.seal("gateway", token)}

    @rpc(writes=True, asks_first=True)
    def start_for_child(self, write: Any, **request: Any) -> Any:
        """Step 1, by a logged-in parent or guardian, whose token (sealed to identity) identity alone reads.
        As ``start``."""
        asked = schemas.load(schemas.StartForChild, request)
        relation = guardians_relation(asked["relation"])
        told = self.identity.guardian(sealed_token=asked["sealed_token"])
        guardian = Guardian(UUID(told["account_id"]), told["code"], relation, told["phone"])

        def begin(tx: Any) -> dict[str, Any]:
            storage, token = Storage(tx), secrets.token_urlsafe(RESUME_TOKEN_BYTES)
            draft = use_cases.start_for_child(
                storage,
                guardian=guardian,
                email=told["email"],
                registration_id=UUID(bytes=uuid_utils.uuid7().bytes),
                token_hash=hash_of(token),
                language="en" if asked["language"] == "en" else "vi",
                now=now(),
            )
            return {**shown(storage, draft), "sealed_resume_token": self.parts.sealer.seal("gateway", token)}

        return write(begin)

    @rpc
    def get(self, **request: Any) -> dict[str, Any]:
        """The registration as its citizen sees it."""
        key = self.key(schemas.load(schemas.Held, request))
        with self.db.transaction() as tx:
            storage = Storage(tx)
            return shown(storage, use_cases.hold(storage, key))

    @rpc
    def save_declaration(self, **request: Any) -> dict[str, Any]:
        """Step 2. Asks identity about the citizen between two transactions."""
        asked = schemas.load(schemas.SaveDeclaration, request)
        key = self.key(asked)
        with self.db.transaction() as tx:
            draft, declaration, warnings = use_cases.read_declaration(
                Storage(tx), key, asked["declaration"], today=today(), phone_range_known=phone_range_known
            )
        check = use_cases.answer_known(draft, declaration) or register_check.ask(
            self.identity, self.parts.limiter, self.parts.settings, draft.id, declaration, asked["client"]
        )
        with self.db.transaction() as tx:
            storage = Storage(tx)
            saved = use_cases.save_declaration(storage, key, declaration, check=check, warnings=warnings)
            return shown(storage, saved)

    @rpc
    def attach_photo(self, **request: Any) -> dict[str, Any]:
        """Step 3. Inspects the upload between two transactions; delivered again after a kill, it finds the
        upload, or the photo attached. A caller without the key deletes nothing."""
        asked = schemas.load(schemas.AttachPhoto, request)
        key, inspection, upload = self.key(asked), self.parts.inspection, asked["ref"]
        with self.db.transaction() as tx:
            storage = Storage(tx)
            draft = use_cases.hold(storage, key).ready_for_photo(asked["kind"])
            if inspection.ref_of_photo(upload) in (photo.ref for photo in draft.photos_being_taken):
                return shown(storage, draft)
        try:
            photo = inspection.take_in(asked["kind"], upload, asked["sha256"])
        except Refused:
            inspection.forget(upload)
            raise
        try:
            with self.db.transaction() as tx:
                storage = Storage(tx)
                draft, replaced = use_cases.attach_photo(storage, key, photo)
                answer = shown(storage, draft)
        except Refused:  # anything else may have been committed: the photo stays
            with self.db.transaction() as tx:  # as it does when another delivery has attached it
                kept = Storage(tx).objects_known([photo.ref])
            for ref in sorted({photo.ref, upload} - kept):
                inspection.forget(ref)
            raise
        for ref in (upload, *([replaced] if replaced else [])):
            inspection.forget(ref)
        return answer

    @rpc
    def choose_agency(self, **request: Any) -> dict[str, Any]:
        """Step 4, the agency and the e-mail."""
        asked = schemas.load(schemas.ChooseAgency, request)
        key = self.key(asked)
        with self.db.transaction() as tx:
            storage = Storage(tx)
            held = use_cases.hold(storage, key)  # who may not see it learns nothing about the fields either
            email = email_address(asked["email"]) if held.guardian is None else ""
            draft = use_cases.choose_agency(
                storage, key, agency_code=asked["agency_code"], email=email, today=today()
            )
            return shown(storage, draft)

    @rpc(writes=True)
    def request_email_otp(self, tx: Any, **request: Any) -> dict[str, Any]:
        """Step 4, a code to the e-mail. A repeat under its key waits for the first and is not counted."""
        key, settings = self.key(schemas.load(schemas.Held, request)), self.parts.settings
        storage = Storage(tx)
        draft = use_cases.hold(storage, key).ready_for_otp()
        email = draft.email or ""
        self.count_otp(draft.id, email)
        code, at = new_otp(), now()
        otp = EmailOtp(
            keyed_hash=keyed_hash(settings.seal_private, EMAIL_OTP, (draft.id, email), code),
            email=email,
            valid_until=at + timedelta(minutes=settings.email_otp_minutes),
            tries_left=use_cases.EMAIL_OTP_TRIES,
        )
        sealed = self.parts.sealer.seal("notification", code)
        use_cases.request_email_otp(storage, key, otp=otp, sealed_otp=sealed, now=at)
        return {"valid_until": otp.valid_until.isoformat(), "tries_left": otp.tries_left}

    @rpc(writes=True)
    def confirm_email_otp(self, tx: Any, **request: Any) -> dict[str, Any] | Refused:
        """Step 4, the code tried. A failed try is a result too: it is kept, and answers its repeats."""
        asked = schemas.load(schemas.ConfirmEmailOtp, request)
        key, code = self.key(asked), self.parts.opened(asked["sealed_otp"])
        storage = Storage(tx)
        held = use_cases.hold(storage, key)
        secret, bound_to = self.parts.settings.seal_private, (held.id, held.email or "")
        tried = keyed_hash(secret, EMAIL_OTP, bound_to, code)
        draft, refusal = use_cases.confirm_email_otp(storage, key, keyed_hash=tried, now=now())
        return refusal or shown(storage, draft)

    @rpc(writes=True)
    def submit(self, tx: Any, **request: Any) -> dict[str, Any]:
        """Submit the declaration; again, the same answer."""
        asked, settings = schemas.load(schemas.Submit, request), self.parts.settings
        with told_rarely(self.parts.limiter, settings, asked["registration_id"], asked["client"]):
            application = use_cases.submit(
                Storage(tx),
                self.key(asked),
                consent_version=asked["consent_version"],
                in_force=self.parts.consents[settings.consent_version],
                visit_deadline_days=settings.visit_deadline_days,
                now=now(),
            )
        return views.submitted(application)

    @rpc(writes=True)
    def send_supplement(self, tx: Any, **request: Any) -> dict[str, Any]:
        """What an officer asked for, once its photos are attached."""
        asked = schemas.load(schemas.SendSupplement, request)
        storage, answer = Storage(tx), " ".join(asked["answer"].split())
        return shown(storage, use_cases.send_supplement(storage, self.key(asked), answer=answer, now=now()))

    @rpc(writes=True)
    def cancel(self, tx: Any, **request: Any) -> dict[str, Any]:
        """Close a draft, or ask the case to close."""
        storage = Storage(tx)
        key = self.key(schemas.load(schemas.Held, request))
        return shown(storage, use_cases.cancel(storage, key, now=now()))

    @rpc(together=True)
    def timeline(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any] | Refused]:
        """What happened and what comes next; to who knows the ``tag`` of it, that it is ``unchanged``."""
        asked = [schemas.load(schemas.Timeline, request) for request in requests]
        keys = [self.key(one) for one in asked]
        with self.db.transaction() as tx:
            answers = use_cases.read_timelines(Storage(tx), keys)
        return [
            answer if isinstance(answer, Refused) else views.timeline(answer, one["known_tags"])
            for one, answer in zip(asked, answers, strict=True)
        ]

    @rpc(writes=True)
    def claim_phone(self, tx: Any, **request: Any) -> dict[str, Any]:
        """For identity: ``{claimed}``, false while an application that holds the phone is being closed."""
        asked = schemas.load(schemas.ClaimPhone, request)
        numbers = frozenset(asked["numbers"])
        done = use_cases.claim_phone(Storage(tx), numbers=numbers, phone=asked["phone"], now=now())
        return {"claimed": done}

    @rpc
    def declaration_pdf(self, **request: Any) -> dict[str, Any]:
        """``{number, content, sha256}``: the submitted declaration as a PDF, in base64."""
        key = self.key(schemas.load(schemas.Held, request))
        with self.db.transaction() as tx:
            submitted = use_cases.read_submitted(Storage(tx), key)
        return views.document(submitted, self.parts.printer.pdf(declaration_pdf, submitted))

    @rpc
    def consent(self, **request: Any) -> dict[str, Any]:
        """A text on personal data, the one in force unless a ``version`` is named."""
        asked = schemas.load(schemas.Consent, request)
        version = asked["version"] or self.parts.settings.consent_version
        texts = self.parts.consents.get(version)
        if texts is None:
            raise ConsentUnknown()
        text = texts["en" if asked["language"] == "en" else "vi"]
        return {**asdict(text), "in_force": version == self.parts.settings.consent_version}

    # -- places --

    @rpc
    def agencies(self, **request: Any) -> dict[str, Any]:
        """Agencies by province, commune or place, nearest first, and by a part of the name, however typed."""
        asked = schemas.load(schemas.Agencies, request)
        latitude, longitude = asked["latitude"], asked["longitude"]
        with self.db.transaction() as tx:
            found = use_cases.find_agencies(
                Storage(tx),
                province_code=asked["province_code"] or None,
                commune_code=asked["commune_code"] or None,
                name_part=asked["q"] or None,
                near=None if latitude is None or longitude is None else Point(latitude, longitude),
                today=today(),
            )
        return {"items": [views.agency_found(agency, metres) for agency, metres in found]}

    @rpc
    def administrative_units(self, **request: Any) -> dict[str, Any]:
        """The provinces, or what ``parent`` holds: today, or on a day of the past."""
        asked = schemas.load(schemas.AdministrativeUnits, request)
        with self.db.transaction() as tx:
            found = Storage(tx).administrative_units(
                parent=asked["parent"] or None, on=asked["on"] or today()
            )
        return {"items": [views.unit_shown(unit) for unit in found]}

    # -- what others report --

    @on_event(identity_events.CHECKED)
    def note_check(self, tx: Any, event: Any) -> None:
        """The case is open; the register's answer may have come later than step 2."""
        data = event.data
        use_cases.note_check(Storage(tx), data["registration_id"], outcome=data["outcome"], at=data["at"])

    @on_event(identity_events.SUPPLEMENT_REQUESTED)
    def ask_supplement(self, tx: Any, event: Any) -> None:
        """The officer needs something more."""
        data = event.data
        items = tuple(data["items"])
        use_cases.note_supplement(
            Storage(tx), data["registration_id"], text=data["note"], at=event.time, items=items
        )

    @on_event(identity_events.VERIFIED)
    def note_verified(self, tx: Any, event: Any) -> None:
        """The identity is verified."""
        data, was_known = event.data, event.data["method"] == "reused"
        use_cases.note_verified(Storage(tx), data["registration_id"], at=data["at"], was_known=was_known)

    @on_event(identity_events.REJECTED)
    def note_rejected(self, tx: Any, event: Any) -> None:
        """Rejected: phone and code are free again."""
        data = event.data
        use_cases.note_rejected(Storage(tx), data["registration_id"], reason=data["reason"], at=event.time)

    @on_event(identity_events.CLOSED)
    def note_closed(self, tx: Any, event: Any) -> None:
        """Cancelled or expired: phone and code are free again."""
        data = event.data
        use_cases.note_closed(Storage(tx), data["registration_id"], reason=data["reason"], at=event.time)

    @on_event(credentials_events.ISSUED)
    def note_issued(self, tx: Any, event: Any) -> None:
        """The account has its first password, or another in its place. Reissues belong to no registration."""
        data = event.data
        if data["registration_id"] is not None:
            use_cases.note_issued(
                Storage(tx),
                data["registration_id"],
                credential_id=data["credential_id"],
                valid_until=data["valid_until"],
                at=event.time,
            )

    @on_event(credentials_events.LINK_ISSUED)
    def note_link_issued(self, tx: Any, event: Any) -> None:
        """A link to choose a password takes the place of the first password."""
        data = event.data
        use_cases.note_issued(
            Storage(tx),
            data["registration_id"],
            credential_id=data["credential_id"],
            valid_until=data["valid_until"],
            at=event.time,
            is_link=True,
        )

    @on_event(credentials_events.FOLLOWED)
    def note_followed(self, tx: Any, event: Any) -> None:
        """How the first password fared beyond its messages."""
        data = event.data
        use_cases.note_followed(
            Storage(tx),
            data["registration_id"],
            credential_id=data["credential_id"],
            step=data["step"],
            at=data["at"],
            valid_until=data["valid_until"],
        )

    @on_event(credentials_events.REISSUED)
    def note_reissued(self, tx: Any, event: Any) -> None:
        """The hotline's password has taken the place of the one, or the link, that waited."""
        data = event.data
        use_cases.note_reissued(
            Storage(tx),
            data["registration_id"],
            credential_id=data["credential_id"],
            valid_until=data["valid_until"],
            at=data["at"],
        )

    @on_event(notification_events.SENT, notification_events.DELIVERED, notification_events.FAILED)
    def note_message(self, tx: Any, event: Any) -> None:
        """Only what carries the password, or the link to choose one, moves an application on."""
        data = event.data
        if data["registration_id"] is None or data["credential_id"] is None:
            return
        outcome = event.type.split(".")[1]
        if data["purpose"] == notification_events.ACTIVATION_LINK:
            outcome = f"link_{outcome}"
        elif data["channel"] != "sms":
            return
        use_cases.note_message(
            Storage(tx),
            data["registration_id"],
            credential_id=data["credential_id"],
            outcome=outcome,
            at=data["at"],
        )

    @on_event(account_events.ERASURE_DUE)
    def erase(self, tx: Any, event: Any) -> None:
        """A person has asked for what no duty keeps to be erased."""
        erasure.erase(Storage(tx), event.data, at=event.time)

    # -- what falls due --

    @job(use_cases.EXPIRY_JOB, lease_seconds=30)
    def pass_deadline(self, due: Any) -> Any:
        """The deadline of the visit has come."""
        return lambda tx: use_cases.pass_deadline(Storage(tx), UUID(due.key), now=now())

    @job(use_cases.REMINDER_JOB, lease_seconds=30)
    def remind(self, due: Any) -> Any:
        """The deadline is near."""
        return lambda tx: use_cases.remind(Storage(tx), UUID(due.key.split()[0]), now=now())

    @job(jobs.DELETE_PHOTOS, lease_seconds=120, workers=1)
    def delete_photos(self, _due: Any) -> Any:
        """Photos whose time has come are deleted, each with its proof."""
        return jobs.delete_photos(self.db, self.parts.store, self.parts.terms, now)

    @job(jobs.EMPTY_APPLICATIONS, lease_seconds=120, workers=1)
    def empty_applications(self, _due: Any) -> Any:
        """Applications that came to nothing lose what is personal when their time is over."""
        return jobs.empty_applications(self.parts.terms, now)

    @job(jobs.FIND_ORPHANS, lease_seconds=120, workers=1)
    def find_orphans(self, due: Any) -> Any:
        """Objects that nobody knows are found, for deletion."""
        return jobs.find_orphans(self.db, self.parts.store, due, now)

    # -- parties outside --

    def key(self, asked: dict[str, Any]) -> Key:
        """What the caller shows to hold a registration."""
        return Key(asked["registration_id"], hash_of(self.parts.opened(asked["sealed_resume_token"])))

    def count_otp(self, registration_id: UUID, email: str) -> None:
        """Raises ``OtpTooMany``, and ``OtpUnavailable`` when nobody can count."""
        settings, limiter = self.parts.settings, self.parts.limiter
        counted = (
            ("email_otp", str(registration_id), settings.email_otp_limit),
            ("email_otp_address", email.lower(), settings.email_otp_address_limit),
        )
        try:
            for what in counted:
                if not limiter.hit(*what):
                    raise OtpTooMany(retry_after_seconds=limiter.wait_seconds(*what))
        except CacheUnavailable:
            raise OtpUnavailable() from None


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The day in Vietnam."""
    return now().astimezone(use_cases.VIETNAM).date()


def hash_of(token: str) -> bytes:
    """What is kept of a resume token, which is random and long: plain SHA-256."""
    return hashlib.sha256(token.encode()).digest()


def shown(storage: Storage, registration: Registration) -> dict[str, Any]:
    """The view, with the chosen agency."""
    agency = storage.agency(registration.agency_code) if registration.agency_code else None
    return views.registration_view(registration, agency)
