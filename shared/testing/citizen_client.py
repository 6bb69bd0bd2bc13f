"""A citizen's client of the gateway, for the demo, the tests and the bench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.testing.citizens import Citizen, birth_certificate_jpeg, id_card_jpeg, portrait_jpeg
from shared.testing.client import NotInTime, ProblemSeen, Session, json_of, tries_within

OTP_REQUESTS = 3
OTP_SECONDS = 25.0
"""A message that was under way when its sender was killed is taken up again, at the latest, before this."""
CONSENT_VERSION = "2026-01"
AGENCY_CODE = "S001"


@dataclass
class Draft:
    """A registration that a client holds."""

    registration_id: str
    resume_token: str = field(repr=False)
    otp_requests: int = 0

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/v1/registrations/{self.registration_id}"

    @property
    def headers(self) -> dict[str, str]:
        """What shows that the client holds it."""
        return {"Registration-Token": self.resume_token}


@dataclass
class Accepted:
    """What the gateway told of a submitted registration: the promise that the ledger holds it to."""

    registration_id: str
    declaration_number: str
    deadline: str
    photos_uploaded: list[str]
    otp_requests: int


class CitizenClient(Session):
    """One citizen: registers, waits, logs in, looks up."""

    draft: Draft | None = None
    refresh_token: str | None = None
    device_token: str | None = None
    log_in_token: str | None = None

    # --- registering, step by step ---------------------------------------------------------------

    def start(self) -> Draft:
        """Step 1. The draft is kept for the next steps."""
        view = self.ask("POST", "/v1/registrations", json={"language": self.language})
        self.draft = Draft(view["id"], view["resume_token"])
        return self.draft

    def start_for_child(self, guardian: Session, relation: str = "parent") -> Draft:
        """Step 1 of a child's registration, by who is logged in as ``guardian``."""
        body = {"language": self.language, "relation": relation}
        view = guardian.ask("POST", "/v1/me/children", json=body)
        self.draft = Draft(view["id"], view["resume_token"])
        return self.draft

    def register_child(
        self, child: Citizen, guardian: Session, relation: str = "parent", agency_code: str = AGENCY_CODE
    ) -> Accepted:
        """Steps 1 to 4 of a child and the submission: without document, phone and e-mail."""
        self.start_for_child(guardian, relation)
        declared = child.declaration()
        view = self.declare({name: declared[name] for name in declared if name not in ("document", "phone")})
        for kind in view["photos_needed"]:
            self.upload(kind, photo_of(child, kind))
        self._held("PUT", "/agency", json={"agency_code": agency_code})
        told = self.submit()
        return Accepted(
            told["id"], told["declaration_number"], told["deadline"], list(view["photos_needed"]), 0
        )

    def view(self) -> dict[str, Any]:
        """The registration as it stands."""
        return self._held("GET", "")

    def declare(self, declaration: dict[str, Any]) -> dict[str, Any]:
        """Step 2."""
        return self._held("PUT", "/declaration", json=declaration)

    def upload(self, kind: str, image: bytes, content_type: str = "image/jpeg") -> dict[str, Any]:
        """Step 3, one photo."""
        return self._held("PUT", f"/photos/{kind}", content=image, headers={"Content-Type": content_type})

    def choose_agency(self, agency_code: str, email: str) -> dict[str, Any]:
        """Step 4, agency and e-mail."""
        return self._held("PUT", "/agency", json={"agency_code": agency_code, "email": email})

    def request_otp(self) -> dict[str, Any]:
        """Step 4, have the code sent."""
        return self._held("POST", "/email-otp")

    def confirm_otp(self, otp: str) -> dict[str, Any]:
        """Step 4, the code from the e-mail."""
        return self._held("POST", "/email-otp/confirmation", json={"otp": otp})

    def submit(self, consent_version: str = CONSENT_VERSION) -> dict[str, Any]:
        """Submit: id, status, declaration number, deadline."""
        return self._held("POST", "/submission", json={"consent_version": consent_version})

    def send_supplement(self, answer: str | None = None) -> dict[str, Any]:
        """Send what the agency asked for, its photos attached before."""
        return self._held("POST", "/supplement", json={"answer": answer} if answer else {})

    def cancel(self) -> dict[str, Any]:
        """Cancel the registration."""
        return self._held("DELETE", "")

    def register(
        self, citizen: Citizen, read_otp: Callable[[str], str], agency_code: str = AGENCY_CODE
    ) -> Accepted:
        """Steps 1 to 4 and the submission, with the photos that are asked for.

        ``read_otp`` waits for the code that reaches an e-mail address.
        """
        self.start()
        view = self.declare(citizen.declaration())
        uploaded = []
        for kind in view["photos_needed"]:
            self.upload(kind, photo_of(citizen, kind))
            uploaded.append(kind)
        self.choose_agency(agency_code, citizen.email)
        self.prove_email(citizen.email, read_otp)
        told = self.submit()
        return Accepted(
            told["id"],
            told["declaration_number"],
            told["deadline"],
            uploaded,
            self._draft().otp_requests,
        )

    def prove_email(self, address: str, read_otp: Callable[[str], str]) -> None:
        """Ask for the code and send back what arrives; a code that never comes is asked for again."""
        refused: set[str] = set()
        for _ in range(OTP_REQUESTS):
            self._request_another_otp()
            if self._confirm_what_arrives(address, read_otp, refused):
                return
        raise NotInTime("the e-mail address could not be confirmed")

    def _confirm_what_arrives(self, address: str, read_otp: Callable[[str], str], refused: set[str]) -> bool:
        """A request that was repeated because its answer was lost has made more than one code, of which only
        the newest counts: one that was refused is not tried again."""
        for _ in tries_within(OTP_SECONDS):
            try:
                otp = read_otp(address)
            except NotInTime:
                return False
            if otp in refused:
                continue
            try:
                self.confirm_otp(otp)
                return True
            except ProblemSeen as problem:
                if self.view()["email_verified"]:
                    return True
                if problem.name not in ("otp-wrong", "otp-expired"):
                    raise
                refused.add(otp)
        return False

    def _request_another_otp(self) -> None:
        """Ask for a code; being told "too many" is fine when earlier answers were lost."""
        draft, before = self._draft(), self.retries
        try:
            self.request_otp()
        except ProblemSeen as problem:
            if problem.name != "otp-too-many" or (self.retries == before and not draft.otp_requests):
                raise
        draft.otp_requests += 1 + self.retries - before

    # --- waiting ---------------------------------------------------------------------------------

    def timeline(self) -> dict[str, Any]:
        """What has happened so far."""
        return self._held("GET", "/timeline")

    def wait_for(self, *statuses: str, seconds: float = 60.0) -> dict[str, Any]:
        """Poll the timeline, with its ETag, until a status is reached. Raises ``NotInTime``."""
        draft = self._draft()
        etag, last = "", "unknown"
        for _ in tries_within(seconds):
            headers = {**draft.headers, **({"If-None-Match": etag} if etag else {})}
            response = self.send("GET", f"{draft.path}/timeline", headers=headers)
            if response.status_code == 304:
                continue
            if response.status_code >= 400:
                raise ProblemSeen(response.status_code, json_of(response))
            etag, found = response.headers.get("ETag", ""), json_of(response)
            last = found["status"]
            if last in statuses:
                return found
        raise NotInTime(f"registration {draft.registration_id}: {last}, awaited {' or '.join(statuses)}")

    def wait_for_step(self, step: str, seconds: float = 60.0) -> dict[str, Any]:
        """Poll the timeline until this comes next. Raises ``NotInTime``."""
        for _ in tries_within(seconds):
            found = self.timeline()
            if found["next"]["step"] == step:
                return found
        raise NotInTime(f"{step} does not come next")

    def activate(self, link: str, code: str, new_password: str) -> None:
        """Choose a password by the secret of a link."""
        body = {"link": link, "code": code, "new_password": new_password}
        self.ask("POST", "/v1/activations", json=body)

    # --- with an account -------------------------------------------------------------------------

    def log_in(self, user: str, password: str) -> dict[str, Any]:
        """Log in, as the same device each time; the tokens are used from then on. Where the answer names a
        ``next_step``, ``confirm_log_in`` follows."""
        body = {"user": user, "password": password}
        if self.device_token:
            body["device_token"] = self.device_token
        answer: dict[str, Any] = self.ask("POST", "/v1/sessions", json=body)
        if "next_step" in answer:
            self.log_in_token = answer["log_in_token"]
            return answer
        return self._take_token(answer)

    def confirm_log_in(self, otp: str) -> dict[str, Any]:
        """The log-in goes on with the code that came by SMS."""
        body = {"log_in_token": self.log_in_token, "otp": otp}
        return self._take_token(self.ask("POST", "/v1/sessions/otp", json=body))

    def refresh(self) -> dict[str, Any]:
        """The next access token."""
        return self._take_token(
            self.ask("POST", "/v1/sessions/refresh", json={"refresh_token": self.refresh_token})
        )

    def log_out(self) -> None:
        """On this device."""
        self.ask("DELETE", "/v1/sessions/current")

    def devices(self) -> list[dict[str, Any]]:
        """Where the citizen is logged in."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/me/devices")["items"]
        return found

    def end_device(self, device_id: str | None = None) -> None:
        """Log out on one device, or on all."""
        self.ask("DELETE", f"/v1/me/devices/{device_id}" if device_id else "/v1/me/devices")

    def change_password(self, user: str, old_password: str, new_password: str) -> dict[str, Any]:
        """Change the password. If an earlier try got through without its answer, log in with the new one."""
        body = {"old_password": old_password, "new_password": new_password}
        before = self.retries
        try:
            return self._take_token(self.ask("PUT", "/v1/me/password", json=body))
        except ProblemSeen:
            if self.retries == before:
                raise
            return self.log_in(user, new_password)

    def ask_reset(self, user: str, email: str | None = None) -> str:
        """Ask for a code to the e-mail registered at first. The id of the reset."""
        body = {"user": user, "email": email} if email else {"user": user}
        return str(self.ask("POST", "/v1/password-resets", json=body)["id"])

    def finish_reset(self, reset_id: str, otp: str, new_password: str) -> None:
        """Choose a new password with the code; this device is a known one from then on."""
        body = {"otp": otp, "new_password": new_password}
        answer = self.ask("POST", f"/v1/password-resets/{reset_id}/confirmation", json=body)
        self.device_token = answer["device_token"]

    def me(self) -> dict[str, Any]:
        """Whose session this is."""
        found: dict[str, Any] = self.ask("GET", "/v1/me")
        return found

    def children(self) -> list[dict[str, Any]]:
        """Those for whom one was confirmed as guardian."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/me/children")["items"]
        return found

    def ended_guardianships(self) -> list[dict[str, Any]]:
        """Of these children one was the guardian, until an officer said otherwise."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/me/children")["ended"]
        return found

    def participation(self, child_id: str | None = None) -> dict[str, Any]:
        """All pages of the own participation, or of a child's, as one."""
        path = f"/v1/me/children/{child_id}/participation" if child_id else "/v1/me/participation"
        page: dict[str, Any] = self.ask("GET", path)
        items, cursor = list(page["items"]), page["next_cursor"]
        while cursor:
            following = self.ask("GET", path, params={"cursor": cursor})
            items += following["items"]
            cursor = following["next_cursor"]
        return {**page, "items": items, "next_cursor": None}

    def data(self) -> dict[str, Any]:
        """All that is held of the person."""
        found: dict[str, Any] = self.ask("GET", "/v1/me/data")
        return found

    def ask_correction(self, **wanted: str) -> dict[str, Any]:
        """Ask for another ``full_name``, ``birth`` or ``sex``."""
        found: dict[str, Any] = self.ask("POST", "/v1/me/corrections", json=wanted)
        return found

    def requests(self) -> list[dict[str, Any]]:
        """What was asked about the own data, newest first."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/me/requests")["items"]
        return found

    def ask_erasure(self) -> dict[str, Any]:
        """Have erased what no duty keeps."""
        found: dict[str, Any] = self.ask("POST", "/v1/me/erasures")
        return found

    def withdraw_consent(self, password: str) -> dict[str, Any]:
        """Close the account for good."""
        found: dict[str, Any] = self.ask("POST", "/v1/me/consent-withdrawal", json={"password": password})
        return found

    def _take_token(self, session: dict[str, Any]) -> dict[str, Any]:
        self.headers["Authorization"] = f"Bearer {session['access_token']}"
        self.refresh_token = session.get("refresh_token")
        self.device_token = session.get("device_token") or self.device_token
        return session

    def _draft(self) -> Draft:
        if self.draft is None:
            raise ValueError("start a registration first")
        return self.draft

    def _held(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        draft = self._draft()
        headers = {**draft.headers, **options.pop("headers", {})}
        found: dict[str, Any] = self.ask(method, draft.path + path, headers=headers, **options)
        return found


def photo_of(citizen: Citizen, kind: str) -> bytes:
    """The photo of a kind that step 3 asks for: portrait, id_front, id_back or birth_certificate."""
    if kind == "portrait":
        return portrait_jpeg(citizen)
    if kind == "birth_certificate":
        return birth_certificate_jpeg(citizen)
    return id_card_jpeg(citizen, "front" if kind == "id_front" else "back")
