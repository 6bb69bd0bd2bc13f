"""A citizen's and an officer's client of the gateway, for the demo, the tests and the bench.

Each call is patient: it repeats itself, with the same idempotency key, while the gateway is away or
answers 503, so that a journey goes on while services are being killed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.testing.authenticator import Authenticator
from shared.testing.citizens import Citizen, birth_certificate_jpeg, id_card_jpeg, portrait_jpeg

PAUSE_SECONDS = 0.3
OTP_REQUESTS = 3
OTP_SECONDS = 25.0
"""A message that was under way when its sender was killed is taken up again, at the latest, before this."""
CONSENT_VERSION = "2026-01"
AGENCY_CODE = "S001"


class ProblemSeen(Exception):
    """The gateway refused. ``problem`` is the problem+json, ``name`` the last part of its type."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.name = str(problem.get("type", "")).rsplit("/", 1)[-1]
        fields = ", ".join(self.fields)
        super().__init__(f"{status} {self.name} {fields}".strip())

    @property
    def fields(self) -> list[str]:
        """The fields that were refused."""
        return [error["field"] for error in self.problem.get("errors", [])]


class NotInTime(Exception):
    """Something awaited did not come within its bound."""


@dataclass
class Session:
    """One HTTP client of the gateway. ``patience_seconds`` bounds the repeating of one call."""

    base_url: str
    patience_seconds: float = 60.0
    language: str = "vi"
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    retries: int = 0
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.base_url, timeout=15.0, transport=self.transport)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, as it is answered; repeated while the gateway or a service is away."""
        headers = {"Accept-Language": self.language, **self.headers, **options.pop("headers", {})}
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        give_up_at = time.monotonic() + self.patience_seconds
        while True:
            try:
                response = self._http.request(method, path, headers=headers, **options)
                if response.status_code != 503 or time.monotonic() > give_up_at:
                    return response
            except (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError):
                if time.monotonic() > give_up_at:
                    raise
            self.retries += 1
            time.sleep(PAUSE_SECONDS)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a good answer. Raises ``ProblemSeen`` otherwise."""
        response = self.send(method, path, **options)
        if response.status_code >= 400:
            raise ProblemSeen(response.status_code, _json(response))
        return None if response.status_code == 204 else _json(response)


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
        for _ in _until(OTP_SECONDS):
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
        for _ in _until(seconds):
            headers = {**draft.headers, **({"If-None-Match": etag} if etag else {})}
            response = self.send("GET", f"{draft.path}/timeline", headers=headers)
            if response.status_code == 304:
                continue
            if response.status_code >= 400:
                raise ProblemSeen(response.status_code, _json(response))
            etag, found = response.headers.get("ETag", ""), _json(response)
            last = found["status"]
            if last in statuses:
                return found
        raise NotInTime(f"registration {draft.registration_id}: {last}, awaited {' or '.join(statuses)}")

    def wait_for_step(self, step: str, seconds: float = 60.0) -> dict[str, Any]:
        """Poll the timeline until this comes next. Raises ``NotInTime``."""
        for _ in _until(seconds):
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


class OfficerClient(Session):
    """One officer at the desk, with an authenticator app where one is asked for."""

    app: Authenticator | None = None
    device_token: str | None = None

    def log_in(self, user: str, password: str, enrolment_code: str | None = None) -> None:
        """Log in; the token is used from then on. With the operator's code an app is set up where one is
        needed."""
        given = {
            "enrolment_code": enrolment_code,
            "device_token": self.device_token,
            "totp": self.app and self.app.code(),
        }
        typed = {"user": user, "password": password, **{name: v for name, v in given.items() if v}}
        found = self.ask("POST", "/v1/staff/sessions", json=typed)
        if found.get("next_step") == "enrol":
            self.app = Authenticator(found["totp_uri"])
            found = self.ask("POST", "/v1/staff/sessions", json={**typed, "totp": self.app.code()})
        self.device_token = found.get("device_token", self.device_token)
        self.headers["Authorization"] = f"Bearer {found['token']}"

    def cases(self, status: str = "waiting", q: str | None = None) -> Iterator[dict[str, Any]]:
        """The cases of the officer's agency, page after page."""
        cursor: str | None = None
        while True:
            given = {"status": status, "q": q, "cursor": cursor}
            page = self.ask(
                "GET", "/v1/staff/cases", params={k: v for k, v in given.items() if v is not None}
            )
            yield from page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def find(self, declaration_number: str, seconds: float = 60.0) -> dict[str, Any]:
        """The case of a declaration, as soon as it is open. Raises ``NotInTime``."""
        for _ in _until(seconds):
            for found in self.cases(q=declaration_number):
                if found["declaration_number"] == declaration_number:
                    return found
        raise NotInTime(f"no case for declaration {declaration_number}")

    def case(self, case_id: str) -> dict[str, Any]:
        """One case with all that is compared."""
        found: dict[str, Any] = self.ask("GET", f"/v1/staff/cases/{case_id}")
        return found

    def photo(self, case_id: str, kind: str) -> bytes:
        """A photo of the case."""
        response = self.send("GET", f"/v1/staff/cases/{case_id}/photos/{kind}")
        if response.status_code != 200:
            raise ProblemSeen(response.status_code, _json(response))
        return response.content

    def claim(self, case_id: str) -> dict[str, Any]:
        """Work on a case."""
        found: dict[str, Any] = self.ask("POST", f"/v1/staff/cases/{case_id}/claim")
        return found

    def request_supplement(self, case_id: str, *items: str, note: str = "") -> dict[str, Any]:
        """Ask the citizen for something more."""
        found: dict[str, Any] = self.ask(
            "POST", f"/v1/staff/cases/{case_id}/supplement-request", json={"items": items, "note": note}
        )
        return found

    def confirm(self, case_id: str, *, guardianship: bool = False) -> dict[str, Any]:
        """The papers were checked; of a child also the guardianship."""
        body = {"papers_checked": True, **({"guardianship_confirmed": True} if guardianship else {})}
        found: dict[str, Any] = self.ask("POST", f"/v1/staff/cases/{case_id}/verification", json=body)
        return found

    def end_guardianship(
        self, case_id: str, reason: str, note: str | None = None, *, key: str | None = None
    ) -> dict[str, Any]:
        """The guardianship that was confirmed by this case is over. ``key`` is the Idempotency-Key."""
        body = {"reason": reason, **({"note": note} if note else {})}
        headers = {"Idempotency-Key": key} if key else {}
        path = f"/v1/staff/cases/{case_id}/guardianship-ending"
        found: dict[str, Any] = self.ask("POST", path, json=body, headers=headers)
        return found

    def hand_over(self, case_id: str, *, key: str | None = None) -> bytes:
        """The slip of an account that is handed over at the counter, the papers checked."""
        response = self.send(
            "POST",
            f"/v1/staff/cases/{case_id}/handover",
            json={"papers_checked": True},
            headers={"Idempotency-Key": key} if key else {},
        )
        if response.status_code != 200:
            raise ProblemSeen(response.status_code, _json(response))
        return response.content

    def change_contact(self, user: str, *, reason: str, **contact: str) -> dict[str, Any]:
        """Another ``phone`` or ``email`` for a verified person, the papers seen."""
        body = {"user": user, "papers_checked": True, "reason": reason, **contact}
        found: dict[str, Any] = self.ask("POST", "/v1/staff/contact-changes", json=body)
        return found

    def open_applications(self, number: str) -> list[dict[str, Any]]:
        """What holds a code or personal number, at whatever agency."""
        found: list[dict[str, Any]] = self.ask(
            "GET", "/v1/staff/open-applications", params={"number": number}
        )["items"]
        return found

    def supersede(self, declaration_number: str, number: str, reason: str) -> dict[str, Any]:
        """Close somebody else's application that holds the number, the papers seen."""
        body = {"number": number, "papers_checked": True, "reason": reason}
        path = f"/v1/staff/open-applications/{declaration_number}/superseding"
        found: dict[str, Any] = self.ask("POST", path, json=body)
        return found

    def requests(self) -> list[dict[str, Any]]:
        """What people of the agency asked about their data, the first due first."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/staff/requests")["items"]
        return found

    def answer_request(self, request_id: str, *, granted: bool, answer: str = "") -> dict[str, Any]:
        """Make the correction, the papers seen, or refuse it with a reason."""
        body = {"granted": granted, "answer": answer, "papers_checked": True}
        found: dict[str, Any] = self.ask("POST", f"/v1/staff/requests/{request_id}/answer", json=body)
        return found

    def reject(self, case_id: str, reason: str) -> dict[str, Any]:
        """Reject, with the reason for the citizen."""
        found: dict[str, Any] = self.ask(
            "POST", f"/v1/staff/cases/{case_id}/rejection", json={"reason": reason}
        )
        return found


def photo_of(citizen: Citizen, kind: str) -> bytes:
    """The photo of a kind that step 3 asks for: portrait, id_front, id_back or birth_certificate."""
    if kind == "portrait":
        return portrait_jpeg(citizen)
    if kind == "birth_certificate":
        return birth_certificate_jpeg(citizen)
    return id_card_jpeg(citizen, "front" if kind == "id_front" else "back")


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return {"type": "", "title": response.text[:200], "status": response.status_code}


def _until(seconds: float) -> Iterator[int]:
    """Count while the time lasts, pausing between."""
    end, count = time.monotonic() + seconds, 0
    while count == 0 or time.monotonic() < end:
        yield count
        count += 1
        time.sleep(PAUSE_SECONDS)
