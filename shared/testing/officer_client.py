"""An officer's client of the gateway, for the demo, the tests and the bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.testing.authenticator import Authenticator
from shared.testing.client import NotInTime, ProblemSeen, Session, json_of, tries_within


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

    def log_out(self) -> None:
        """Log out at this desk."""
        self.ask("DELETE", "/v1/staff/sessions/current")

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
        for _ in tries_within(seconds):
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
            raise ProblemSeen(response.status_code, json_of(response))
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
            raise ProblemSeen(response.status_code, json_of(response))
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
