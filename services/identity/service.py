"""Identity's entrypoints: translate, open the transaction, call one use case, answer."""

from __future__ import annotations

from typing import Any

from services.identity import (
    activations,
    gauges,
    guessing,
    jobs,
    password_resets,
    reissue,
    schemas,
    second_step,
    sign_in,
    slips,
    staff_sign_in,
    trail,
    use_cases,
    views,
)
from services.identity.credentials import Claims
from services.identity.delivery import Way
from services.identity.domain import AuditEntry, Officer, Question, RegisterCheck, held_value
from services.identity.parts import new_id, now, parts_of
from services.identity.storage import Storage
from services.identity.tokens import staff_token_hash
from shared import tracing
from shared.events import identity as identity_events
from shared.events import notification as notification_events
from shared.events import registration as registration_events
from shared.events.envelope import Event
from shared.messaging.dependencies import Database, Gauges, Parts
from shared.messaging.jobs import job
from shared.messaging.listener import on_event
from shared.messaging.rpc import Client, rpc
from shared.otp import keyed_hash
from shared.refusals import Refused
from shared.sealed_objects import to_text

DELIVERY_STATES = {
    notification_events.SENT.name: "sent",
    notification_events.DELIVERED.name: use_cases.DELIVERED,
    notification_events.FAILED.name: use_cases.FAILED,
}
LOOKED_UP = "vssid-looked-up"


class IdentityService:
    """Who somebody is, and how the person proves it."""

    name = "identity"

    db = Database()
    parts = Parts(parts_of)
    gauges = Gauges(gauges.read)
    registration = Client("registration", "claim_phone")

    # -- the register -----------------------------------------------------------------------------

    @rpc
    def check_citizen(self, **request: Any) -> dict[str, str]:
        """``{outcome: matched | photos_needed | unavailable}`` within the register's time-out."""
        asked = schemas.load(schemas.CheckCitizen, request)
        check = RegisterCheck(
            asked["request_id"], asked["registration_id"], asked["purpose"], "registration", now()
        )
        with self.db.transaction() as tx:
            use_cases.begin_register_check(Storage(tx), check)
        answer = self.parts.register.ask(
            Question(
                check.request_id,
                asked["full_name"],
                asked["birth"]["value"],
                asked["document"]["kind"],
                asked["document"]["number"],
                asked["personal_number"],
            )
        )
        with self.db.transaction() as tx:
            return {"outcome": use_cases.finish_register_check(Storage(tx), check, answer, now())}

    @job("check_register", lease_seconds=15, workers=2)
    def check_register(self, due: Any) -> Any:
        """The register's late answer."""
        return jobs.check_register(self.db, self.parts, due)

    # -- cases ------------------------------------------------------------------------------------

    @on_event(registration_events.SUBMITTED)
    def open_case(self, tx: Any, event: Event) -> None:
        """An application arrived."""
        trace = tracing.headers().get("traceparent")
        use_cases.open_case(Storage(tx), event.data, case_id=new_id(), at=event.time, traceparent=trace)

    @on_event(registration_events.CLOSE_REQUESTED)
    def close_case(self, tx: Any, event: Event) -> None:
        """The citizen cancelled, or the deadline passed. May come before the application itself."""
        reason = event.data["because"] or event.data["reason"]
        use_cases.close_case(Storage(tx), event.data["registration_id"], reason, event.time)

    @on_event(registration_events.SUPPLEMENTED)
    def resume_case(self, tx: Any, event: Event) -> None:
        """What an officer asked for has come."""
        hours = self.parts.settings.supplement_hold_hours
        use_cases.resume_case(Storage(tx), event.data, hold_hours=hours, now=now(), at=event.time)

    @rpc
    def cases(self, **request: Any) -> dict[str, Any]:
        """``{items, next_cursor}``: the officer's own agency, oldest first."""
        asked = schemas.load(schemas.Cases, request)
        with self.db.transaction() as tx:
            storage = Storage(tx)
            page = use_cases.list_cases(
                storage,
                self.officer(storage, asked),
                status=asked["status"],
                words=asked["q"] or "",
                cursor=asked["cursor"],
                now=now(),
            )
        return {"items": [views.case_item(case) for case in page.cases], "next_cursor": page.next_cursor}

    @rpc
    def case(self, **request: Any) -> dict[str, Any]:
        """One case with all that the officer compares."""
        asked = schemas.load(schemas.OneCase, request)
        with self.db.transaction() as tx:
            storage = Storage(tx)
            officer = self.officer(storage, asked)
            seen = use_cases.read_case(storage, officer, asked["case_id"], now())
        return views.case_view(seen.case, seen.account, seen.guardian, seen.confirmed)

    @rpc
    def photo(self, **request: Any) -> dict[str, str]:
        """``{ref, content_type, sealed_key}``, once the reading stands in the audit trail: the key of this
        one photo, sealed to the gateway."""
        asked = schemas.load(schemas.CasePhoto, request)
        with self.db.transaction() as tx:
            storage = Storage(tx)
            officer = self.officer(storage, asked)
            photo = use_cases.read_photo(storage, officer, asked["case_id"], asked["kind"], now())
        key = self.parts.photo_key(photo.ref)
        return {
            "ref": photo.ref,
            "content_type": views.PHOTO_CONTENT_TYPE,
            "sealed_key": self.parts.sealer.seal("gateway", to_text(key)),
        }

    @rpc(writes=True)
    def claim_case(self, tx: Any, **request: Any) -> dict[str, Any]:
        """The case as in the list: the officer works on it."""
        asked = schemas.load(schemas.OneCase, request)
        storage = Storage(tx)
        officer = self.officer(storage, asked)
        minutes = self.parts.settings.case_claim_minutes
        case = use_cases.claim_case(storage, officer, asked["case_id"], minutes=minutes, now=now())
        return views.case_item(case)

    @rpc(writes=True)
    def request_supplement(self, tx: Any, **request: Any) -> dict[str, str]:
        """``{id, status}``: the citizen is asked for something more."""
        asked = schemas.load(schemas.SupplementRequest, request)
        storage = Storage(tx)
        case = use_cases.request_supplement(
            storage,
            self.officer(storage, asked),
            asked["case_id"],
            items=asked["items"],
            note=asked["note"] or "",
            now=now(),
        )
        return views.case_state(case)

    @rpc(writes=True)
    def confirm_case(self, tx: Any, **request: Any) -> dict[str, str]:
        """``{id, status}``: the papers were checked; ``awaiting_approval`` where a second officer is to."""
        asked = schemas.load(schemas.Confirmation, request)
        storage = Storage(tx)
        case = use_cases.confirm_case(
            storage,
            self.officer(storage, asked),
            asked["case_id"],
            papers_checked=asked["papers_checked"],
            guardianship_confirmed=asked["guardianship_confirmed"],
            person_id=new_id(),
            now=now(),
            two_officers=self.parts.settings.two_officers,
        )
        return views.case_state(case)

    @rpc(writes=True)
    def reject_case(self, tx: Any, **request: Any) -> dict[str, str]:
        """``{id, status}``: turned away, with a reason for the citizen."""
        asked = schemas.load(schemas.Rejection, request)
        storage = Storage(tx)
        officer = self.officer(storage, asked)
        reason = asked["reason"] or ""
        case = use_cases.reject_case(storage, officer, asked["case_id"], reason=reason, now=now())
        return views.case_state(case)

    @rpc
    def change_contact(self, **request: Any) -> dict[str, str]:
        """``{id, status: changed | pending | refused}``: another phone or e-mail for a verified person."""
        asked = schemas.load(schemas.ContactChange, request)
        with self.db.transaction() as tx:
            storage = Storage(tx)
            change = use_cases.ask_contact_change(
                storage,
                self.officer(storage, asked),
                user=asked["user"],
                phone=asked["phone"],
                email=asked["email"],
                papers_checked=asked["papers_checked"],
                reason=asked["reason"] or "",
                change_id=new_id(),
                now=now(),
            )
        return {"id": str(change.id), "status": jobs.settle_contact(self.db, self.registration, change)}

    @rpc
    def open_applications(self, **request: Any) -> dict[str, Any]:
        """``{items}``: number and date of what holds a code, personal number or phone, at whatever agency."""
        asked = schemas.load(schemas.OpenApplications, request)
        with self.db.transaction() as tx:
            storage = Storage(tx)
            officer = self.officer(storage, asked)
            number = held_value(asked["number"], asked["phone"])
            number_hash = keyed_hash(self.parts.settings.seal_private, LOOKED_UP, (), number)
            found = use_cases.list_open_applications(storage, officer, number, number_hash, now())
        return {"items": [views.open_application(case) for case in found]}

    @rpc(writes=True)
    def supersede(self, tx: Any, **request: Any) -> dict[str, str]:
        """``{id, status}``: somebody else's open application is closed for whoever showed the papers."""
        asked = schemas.load(schemas.Superseding, request)
        storage = Storage(tx)
        case = use_cases.supersede(
            storage,
            self.officer(storage, asked),
            number=held_value(asked["number"], asked["phone"]),
            declaration_number=asked["declaration_number"],
            papers_checked=asked["papers_checked"],
            reason=asked["reason"] or "",
            two_officers=self.parts.settings.two_officers,
            now=now(),
        )
        return views.case_state(case)

    @job(use_cases.CHANGE_CONTACT, lease_seconds=30, workers=1)
    def settle_contact_change(self, due: Any) -> Any:
        """A change whose phone was not free at once, or whose asking was cut short."""
        return jobs.settle_contact_later(self.db, self.registration, due)

    def officer(self, storage: Storage, asked: dict[str, Any]) -> Officer:
        """Who calls. Whatever an officer's call does not write into the audit trail itself, such as an act
        that was done before, leaves a row here. Raises ``TokenInvalid``."""
        token = self.parts.opened(asked["sealed_staff_token"])
        officer = use_cases.officer_of(storage, staff_token_hash(token), now())
        storage.audit_at_least(AuditEntry(now(), officer.id, "called_without_effect", asked.get("case_id")))
        return officer

    # -- children ---------------------------------------------------------------------------------

    @rpc
    def guardian(self, **request: Any) -> dict[str, Any]:
        """For registration: ``{account_id, code, phone, email}`` of who registers a child."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        with self.db.transaction() as tx:
            return views.guardian_view(use_cases.read_guardian(Storage(tx), claims, now()))

    @rpc
    def children(self, **request: Any) -> dict[str, Any]:
        """``{items, ended}``: the children for whom the citizen was confirmed as guardian, and what of
        that an officer has ended."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        with self.db.transaction() as tx:
            found, ended = use_cases.list_children(Storage(tx), claims, now())
        return {
            "items": [views.child_view(child) for child in found],
            "ended": [views.ended_view(one) for one in ended],
        }

    @rpc(writes=True)
    def end_guardianship(self, tx: Any, **request: Any) -> dict[str, str]:
        """``{id, status: ended}``: who was confirmed by this case is the child's guardian no more."""
        asked = schemas.load(schemas.GuardianshipEnding, request)
        storage = Storage(tx)
        use_cases.end_guardianship(
            storage,
            self.officer(storage, asked),
            asked["case_id"],
            reason=asked["reason"] or "",
            note=asked["note"] or "",
            now=now(),
        )
        return {"id": str(asked["case_id"]), "status": "ended"}

    # -- a person's rights ------------------------------------------------------------------------

    @rpc
    def export(self, **request: Any) -> dict[str, Any]:
        """All that identity holds of the citizen; that it was handed over is recorded."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        with self.db.transaction() as tx:
            storage = Storage(tx)
            account = use_cases.citizen(storage, claims)
            a_day = self.parts.settings.exports_a_day
            held = use_cases.export(storage, account, request_id=new_id(), now=now(), a_day=a_day)
            return views.held_view(held)

    @rpc(writes=True)
    def ask_correction(self, tx: Any, **request: Any) -> dict[str, Any]:
        """The request, with the time by which it is answered."""
        asked = schemas.load(schemas.Correction, request)
        wanted = {name: asked[name] for name in schemas.CORRECTABLE if asked[name] is not None}
        storage = Storage(tx)
        account = use_cases.citizen(storage, self.claims(asked))
        return views.request_view(
            use_cases.ask_correction(storage, account, wanted, request_id=new_id(), now=now())
        )

    @rpc(writes=True)
    def ask_erasure(self, tx: Any, **request: Any) -> dict[str, Any]:
        """The request, with the time by which it is answered: what no duty keeps is erased."""
        storage = Storage(tx)
        account = use_cases.citizen(storage, self.claims(schemas.load(schemas.WithToken, request)))
        asked = use_cases.ask_erasure(storage, account, request_id=new_id(), now=now())
        return views.request_view(asked)

    @rpc(writes=True)
    def ask_childs_erasure(self, tx: Any, **request: Any) -> dict[str, Any]:
        """As ``ask_erasure``, of a child, for its guardian."""
        storage, asked = Storage(tx), schemas.load(schemas.OfChild, request)
        guardian = use_cases.citizen(storage, self.claims(asked))
        return views.request_view(
            use_cases.ask_childs_erasure(storage, guardian, asked["child_id"], request_id=new_id(), now=now())
        )

    @on_event(registration_events.ERASED)
    def answer_erasure(self, tx: Any, event: Event) -> None:
        """Registration has erased its part."""
        use_cases.answer_erasure(Storage(tx), event.data, now())

    @on_event(registration_events.EMPTIED)
    def empty_case(self, tx: Any, event: Event) -> None:
        """An application that came to nothing has lost what was personal."""
        use_cases.empty_case(Storage(tx), event.data["registration_id"], event.time)

    @rpc
    def withdraw_consent(self, **request: Any) -> dict[str, Any]:
        """The request, granted: the account is closed."""
        asked = schemas.load(schemas.Withdrawal, request)
        password = self.parts.opened(asked["sealed_password"])
        closed = sign_in.withdraw_consent(self.db, self.parts, claims=self.claims(asked), password=password)
        return views.request_view(closed)

    @rpc
    def own_requests(self, **request: Any) -> dict[str, Any]:
        """``{items}``: what the citizen has asked, newest first."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        with self.db.transaction() as tx:
            storage = Storage(tx)
            found = use_cases.list_own_requests(storage, use_cases.citizen(storage, claims))
        return {"items": [views.request_view(item) for item in found]}

    @rpc
    def open_requests(self, **request: Any) -> dict[str, Any]:
        """``{items}``: those that wait at the officer's agency, the first due first."""
        asked = schemas.load(schemas.Staff, request)
        with self.db.transaction() as tx:
            storage = Storage(tx)
            found = use_cases.list_open_requests(storage, self.officer(storage, asked), now())
        return {"items": [views.request_at_the_desk(item) for item in found]}

    @rpc(writes=True)
    def answer_request(self, tx: Any, **request: Any) -> dict[str, Any]:
        """The request with its one answer."""
        asked = schemas.load(schemas.RequestAnswer, request)
        storage = Storage(tx)
        answered = use_cases.answer_request(
            storage,
            self.officer(storage, asked),
            asked["request_id"],
            granted=asked["granted"],
            answer=asked["answer"] or "",
            papers_checked=asked["papers_checked"],
            now=now(),
        )
        return views.request_view(answered)

    # -- the audit trail --------------------------------------------------------------------------

    @job("seal_audit", lease_seconds=60, workers=1)
    def seal_audit(self, _due: Any) -> Any:
        """What staff read and did is sealed, and the head of the chain anchored."""
        return trail.seal_audit(self.db, self.parts)

    # -- credentials ------------------------------------------------------------------------------

    @on_event(identity_events.VERIFIED)
    def issue_credentials(self, tx: Any, event: Event) -> None:
        """A verified person gets an account; the password is made by the job."""
        use_cases.open_account(Storage(tx), event.data, account_id=new_id(), now=now())

    @job(use_cases.ISSUE[Way.SMS], lease_seconds=15, workers=4)
    def issue_credential(self, due: Any) -> Any:
        """A first password."""
        return jobs.issue(self.parts, due, Way.SMS)

    @job(use_cases.REPLACE_CREDENTIAL, lease_seconds=15, workers=2)
    def replace_credential(self, due: Any) -> Any:
        """A first password that did not arrive is followed, its pause being over."""
        return jobs.replace_credential(self.parts, due)

    @job(use_cases.ISSUE[Way.LINK], lease_seconds=15, workers=2)
    def issue_link(self, due: Any) -> Any:
        """A link by e-mail, for whom no SMS has reached."""
        return jobs.issue(self.parts, due, Way.LINK)

    @rpc
    def activate(self, **request: Any) -> dict[str, Any]:
        """``{}``: the password that was chosen by the link counts from now on."""
        asked = schemas.load(schemas.Activation, request)
        activations.activate(
            self.db,
            self.parts,
            secret=self.parts.opened(asked["sealed_link"]),
            code=self.parts.opened(asked["sealed_code"]),
            new=self.parts.opened(asked["sealed_new_password"]),
        )
        return {}

    @rpc(writes=True, asks_first=True)
    def hand_over(self, write: Any, **request: Any) -> Any:
        """``{number, sealed_slip, valid_until}``: a slip with a first password, printed at the counter. Who
        asks is looked at each time: what was kept for a key is not for an officer who has left since."""
        asked = schemas.load(schemas.HandOver, request)
        with self.db.transaction() as tx:
            self.officer(Storage(tx), asked)

        def print_slip(tx: Any) -> dict[str, Any]:
            storage = Storage(tx)
            officer, papers_checked = self.officer(storage, asked), asked["papers_checked"]
            return slips.hand_over(
                storage, self.parts, officer, asked["case_id"], papers_checked=papers_checked
            )

        return write(print_slip)

    @on_event(notification_events.SENT, notification_events.DELIVERED, notification_events.FAILED)
    def note_message(self, tx: Any, event: Event) -> None:
        """How far the SMS with a password, or the e-mail with a link, came; a failure is followed."""
        use_cases.note_delivery(
            Storage(tx),
            event.data,
            DELIVERY_STATES[event.type],
            policy=self.parts.delivery,
            now=now(),
        )

    # -- logging in -------------------------------------------------------------------------------

    @rpc
    def log_in(self, **request: Any) -> dict[str, Any]:
        """``{sealed_access_token, expires_in, must_change_password, sealed_refresh_token,
        sealed_device_token}``: no refresh token before the first password is changed, a device token for a
        new device. Or ``{next_step: otp, sealed_log_in_token, valid_until, tries_left}``."""
        asked = schemas.load(schemas.LogIn, request)
        device_token = asked["sealed_device_token"]
        return sign_in.log_in(
            self.db,
            self.parts,
            user="".join(asked["user"].split()),
            password=self.parts.opened(asked["sealed_password"]),
            address=schemas.address_of(asked),
            network=schemas.network_of(asked),
            device_token=device_token and self.parts.opened(device_token),
            device_name=asked["device_name"],
        )

    @rpc(writes=True)
    def confirm_log_in(self, tx: Any, **request: Any) -> dict[str, Any] | Refused:
        """As ``log_in``, for the code that it asked for. A failed try is a result too: it is kept."""
        asked = schemas.load(schemas.ConfirmLogIn, request)

        def confirm() -> dict[str, Any] | Refused:
            return sign_in.confirm_log_in(
                Storage(tx),
                self.parts,
                token=self.parts.opened(asked["sealed_log_in_token"]),
                code=self.parts.opened(asked["sealed_otp"]),
                device_name=asked["device_name"],
            )

        address, network = schemas.address_of(asked), schemas.network_of(asked)
        return second_step.counted(tx, self.parts, address, network, confirm)

    @rpc
    def reissue_by_hotline(self, **request: Any) -> dict[str, Any]:
        """``{sealed_script, valid_until}``: what the voice platform reads to a caller."""
        asked = schemas.load(schemas.Hotline, request)
        body = self.parts.opened(asked["sealed_body"])
        return reissue.reissue_by_hotline(self.db, self.parts, headers=asked["headers"], body=body)

    @rpc
    def refresh(self, **request: Any) -> dict[str, Any]:
        """As ``log_in``: the next access and refresh token."""
        asked = schemas.load(schemas.Refresh, request)
        return sign_in.refresh(self.db, self.parts, token=self.parts.opened(asked["sealed_refresh_token"]))

    @rpc
    def log_out(self, **request: Any) -> dict[str, Any]:
        """``{}``: this session has ended."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        self.db.change(lambda tx: use_cases.log_out(Storage(tx), claims, now()))
        return {}

    @rpc
    def log_out_everywhere(self, **request: Any) -> dict[str, Any]:
        """``{}``: every session of the account has ended."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        self.db.change(lambda tx: use_cases.log_out_everywhere(Storage(tx), claims, now()))
        return {}

    @rpc
    def devices(self, **request: Any) -> dict[str, Any]:
        """``{items}``: where the citizen is logged in."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        with self.db.transaction() as tx:
            session, found = use_cases.list_devices(
                Storage(tx), claims, lifetimes=self.parts.lifetimes, now=now()
            )
        return {"items": [views.device_view(device, session) for device in found]}

    @rpc
    def end_device(self, **request: Any) -> dict[str, Any]:
        """``{}``: the device is logged out and forgotten."""
        asked = schemas.load(schemas.EndDevice, request)
        claims = self.claims(asked)
        self.db.change(lambda tx: use_cases.end_device(Storage(tx), claims, asked["device_id"], now()))
        return {}

    @job(jobs.FORGET_SESSIONS, lease_seconds=60, workers=1)
    def forget_sessions(self, _due: Any) -> Any:
        """When and where somebody was logged in, long ago."""
        return jobs.forget_sessions(self.db, self.parts)

    @rpc
    def change_password(self, **request: Any) -> dict[str, Any]:
        """As ``log_in``: the session of the new password."""
        asked = schemas.load(schemas.ChangePassword, request)
        return sign_in.change_password(
            self.db,
            self.parts,
            claims=self.claims(asked),
            old=self.parts.opened(asked["sealed_old_password"]),
            new=self.parts.opened(asked["sealed_new_password"]),
        )

    @rpc(writes=True)
    def start_email_reset(self, tx: Any, **request: Any) -> dict[str, str]:
        """``{id, valid_until}``, whoever is meant. A repeat under its key is not counted."""
        asked = schemas.load(schemas.StartEmailReset, request)
        reset = password_resets.start(
            tx, self.parts, user=asked["user"], email=asked["email"], address=schemas.address_of(asked)
        )
        return {"id": str(reset.id), "valid_until": reset.valid_until.isoformat()}

    @job(use_cases.SEND_RESET_OTP, lease_seconds=15, workers=2)
    def send_reset_otp(self, due: Any) -> Any:
        """A code to the e-mail of the account that is meant, if there is one."""
        return password_resets.send_otp(self.db, self.parts, due)

    @rpc
    def finish_email_reset(self, **request: Any) -> dict[str, Any]:
        """``{sealed_device_token}``: the new password counts from now on, and the device is a known one."""
        asked = schemas.load(schemas.FinishEmailReset, request)
        token = password_resets.finish(
            self.db,
            self.parts,
            reset_id=asked["reset_id"],
            code=self.parts.opened(asked["sealed_otp"]),
            new=self.parts.opened(asked["sealed_new_password"]),
            address=schemas.address_of(asked),
            network=schemas.network_of(asked),
        )
        return {"sealed_device_token": self.parts.sealer.seal("gateway", token)}

    @job(use_cases.FORGET_EMAIL_RESET, lease_seconds=15, workers=1)
    def forget_email_reset(self, due: Any) -> Any:
        """An asking of the day before yesterday."""
        return password_resets.forget(due)

    @rpc
    def me(self, **request: Any) -> dict[str, Any]:
        """``{account_id, code, full_name, must_change_password}``."""
        claims = self.claims(schemas.load(schemas.WithToken, request))
        session = self.db.autocommit(lambda tx: use_cases.live_session(Storage(tx), claims))
        return views.me_view(session)

    @rpc
    def public_keys(self, **_request: Any) -> dict[str, Any]:
        """The JWKS that verifies access tokens."""
        return self.parts.tokens.public_keys

    @rpc
    def staff_log_in(self, **request: Any) -> dict[str, Any]:
        """``{sealed_staff_token, expires_at, sealed_device_token}``, the last for a new device, to be sent at
        its next log-in. Or ``{next_step: enrol, sealed_totp_uri}``: the same again
        follows, with a code of the app."""
        asked = schemas.load(schemas.StaffLogIn, request)
        sealed_totp = asked["sealed_totp"]
        sealed_enrolment, sealed_device = asked["sealed_enrolment_code"], asked["sealed_device_token"]
        attempt = staff_sign_in.Attempt(
            user=asked["user"].strip(),
            password=self.parts.opened(asked["sealed_password"]),
            totp=sealed_totp and self.parts.opened(sealed_totp),
            enrolment_code=sealed_enrolment and self.parts.opened(sealed_enrolment),
            device_token=sealed_device and self.parts.opened(sealed_device),
            address=schemas.address_of(asked),
            network=schemas.network_of(asked),
        )
        return staff_sign_in.log_in(self.db, self.parts, attempt)

    @rpc
    def staff_log_out(self, **request: Any) -> dict[str, Any]:
        """``{}``: this session of the officer has ended."""
        asked = schemas.load(schemas.Staff, request)
        token_hash = staff_token_hash(self.parts.opened(asked["sealed_staff_token"]))

        def end(tx: Any) -> None:
            storage = Storage(tx)
            use_cases.end_staff_session(storage, self.officer(storage, asked), token_hash, now())

        self.db.change(end)
        return {}

    @job(guessing.TELL_THROTTLED, lease_seconds=15, workers=1)
    def tell_throttled(self, due: Any) -> Any:
        """Somebody guesses at a password: its holder is told, if there is one."""
        return guessing.tell(due)

    def claims(self, asked: dict[str, Any]) -> Claims:
        """What the citizen's token says. Raises ``TokenInvalid``."""
        return self.parts.tokens.read(self.parts.opened(asked["sealed_token"]), now())
