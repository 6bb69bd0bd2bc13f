"""Some citizens who share phones and numbers, and the officers of their agency, as clients of the gateway.

Each act is one request or a few, made as a person makes them: impatiently, twice, out of order. What is told
is remembered, and an answer that contradicts it, or that nobody may get, is an ``AssertionError``.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.world import add_officer, write_register
from shared.testing.citizen_client import AGENCY_CODE, CitizenClient, Draft, photo_of
from shared.testing.citizens import Citizen, generate
from shared.testing.client import ProblemSeen
from shared.testing.inbox import OTP, Inbox
from shared.testing.processes import ServiceProcess
from tests.properties.books import Books, Look, disagreements, more_lines_than_events, never
from tests.properties.hazards import Hazards

CITIZENS = 4
PHONES = 3
APPLICATIONS = 6
"""In one life, at the most."""
OTHER_AGENCY = "S002"
OTP_WITHIN_SECONDS = 20.0
CASE_WITHIN_SECONDS = 5.0
SETTLED_WITHIN_SECONDS = 90.0
NOTED_WITHIN_SECONDS = 20.0
"""After that: an event may come late, a receipt of an SMS for one."""
GIVEN_UP_AFTER_SECONDS = 0.02
REASON = "Giấy tờ không khớp với tờ khai."
CONSENT = "2026-01"
CASE = "SELECT id FROM cases WHERE registration_id = %(id)s"


class Hurried(httpx.HTTPTransport):
    """Gives the next request up before it can be answered, once; who asked then asks again."""

    hurry = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.hurry:
            self.hurry = False
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": GIVEN_UP_AFTER_SECONDS}
        return super().handle_request(request)


@dataclass
class Application:
    """One registration as its citizen knows it."""

    number: int
    client: CitizenClient
    transport: Hurried
    address: str = ""
    mails_before: int = 0
    """How many codes had come to its address when it asked for one."""
    used_otps: list[str] = field(default_factory=list)
    declaration_number: str | None = None
    decided: set[str] = field(default_factory=set)
    """What officers were told that they decided."""
    timeline: list[dict[str, Any]] = field(default_factory=list)
    etag: str = ""

    @property
    def draft(self) -> Draft:
        assert self.client.draft is not None
        return self.client.draft

    @property
    def id(self) -> str:
        return self.draft.registration_id

    def __str__(self) -> str:
        return f"r{self.number}"


class Life:
    """One example: new citizens, all that they do, and what was seen of it."""

    def __init__(self, town: Town, number: int) -> None:
        self.town = town
        self.people = town.newcomers(number)
        self.applications: list[Application] = []
        self.seen = Look()
        self.steps: list[str] = []

    def say(self, what: str) -> None:
        """A line of the log: what was done, and what came of it."""
        self.steps.append(what)
        self.town.say(f"{len(self.steps):4}  {what}")

    def close(self) -> None:
        """Let go of the connections."""
        for one in self.applications:
            one.client.close()

    def one(self, which: int) -> Application:
        """An application, the newest for 0; the first is begun when there is none."""
        if not self.applications:
            self.start()
        return self.applications[-1 - which % len(self.applications)]

    # -- citizens --------------------------------------------------------------------------------------

    def start(self) -> Application:
        """Step 1; the newest again when there are enough."""
        if len(self.applications) == APPLICATIONS:
            return self.applications[-1]
        transport = Hurried(retries=0)
        client = CitizenClient(self.town.gateway, language="en", transport=transport)
        client.start()
        one = Application(len(self.applications), client, transport)
        self.applications.append(one)
        self.say(f"{one} is begun: {one.id}")
        return one

    def declare(self, one: Application, who: int, phone: int, code: int, *, misspelt: bool) -> None:
        """Step 2: by a citizen, with the phone of one and the code of one. Misspelt, it does not match."""
        citizen = self.people[who % CITIZENS]
        body = citizen.declaration()
        phone, code = phone % PHONES, code % CITIZENS
        body |= {"phone": self.people[phone].phone, "code": self.people[code].code}
        if misspelt:
            body["full_name"] += " Khác"
        self._try(one, f"declares c{who % CITIZENS} phone {phone} code {code}{' misspelt' * misspelt}",
                  partial(one.client.declare, body), "step-out-of-order")  # fmt: skip

    def upload(self, one: Application, kind: str) -> None:
        """Step 3, one photo."""
        image = photo_of(self.people[0], kind)
        allowed = "step-out-of-order", "photo-not-needed"
        self._try(one, f"uploads {kind}", partial(one.client.upload, kind, image), *allowed)

    def choose_agency(self, one: Application, who: int, *, other_address: bool) -> None:
        """Step 4: the agency and the address of a citizen, or one that nobody else has."""
        address = self.people[who % CITIZENS].email
        if other_address:
            address = f"r{one.number}.{address}"
        choose = partial(one.client.choose_agency, AGENCY_CODE, address)
        what = f"chooses {'another address' if other_address else 'the address'} of c{who % CITIZENS}"
        if self._try(one, what, choose, "step-out-of-order"):
            one.address = address

    def request_otp(self, one: Application, *, hurry: bool) -> None:
        """Step 4: a code by e-mail."""
        before = len(self._otps(one))
        with self._hurried(one, hurry):
            allowed = "step-out-of-order", "otp-too-many"
            if self._try(one, "asks for a code", one.client.request_otp, *allowed):
                one.mails_before = before

    def confirm_otp(self, one: Application, *, hurry: bool) -> None:
        """Step 4: the newest code that has arrived."""
        otp = self._newest_otp(one)
        if otp is None:
            self.say(f"{one} has no code")
            return
        with self._hurried(one, hurry):
            allowed = "step-out-of-order", "otp-wrong", "otp-expired"
            if self._try(one, "confirms its code", partial(one.client.confirm_otp, otp), *allowed):
                assert otp not in one.used_otps, f"{one}: a code was accepted a second time"
                one.used_otps.append(otp)

    def guess_otp(self, one: Application, how: str) -> None:
        """A code that must not be accepted: made up, used before, or another registration's."""
        other = next((a for a in self.applications if a.address not in ("", one.address)), None)
        theirs = other and self._newest_otp(other, wait=False)
        newest = self._newest_otp(one, wait=False)
        guess = {"replayed": one.used_otps[-1] if one.used_otps else None, "foreign": theirs}.get(how)
        guess = guess or f"{(int(newest or 0) + 1) % 10**6:06}"
        if guess == newest and guess not in one.used_otps:
            return
        allowed = "step-out-of-order", "otp-wrong", "otp-expired"
        accepted = self._try(one, f"tries a {how} code", partial(one.client.confirm_otp, guess), *allowed)
        assert not accepted, f"{one}: a {how} code was accepted"

    def submit(self, one: Application, *, hurry: bool, twice: bool) -> None:
        """Submit; ``twice``: under one key, a second time."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        path, headers = f"{one.draft.path}/submission", {**one.draft.headers, **key}

        def send() -> Any:
            return one.client.ask("POST", path, json={"consent_version": CONSENT}, headers=headers)

        allowed = "step-out-of-order", "phone-taken", "code-taken", "submissions-too-many"
        for _ in range(1 + twice):
            with self._hurried(one, hurry):
                told = self._try(one, "submits", send, *allowed)
            if told:
                assert one.declaration_number in (None, told["declaration_number"]), f"{one}: another number"
                one.declaration_number = told["declaration_number"]

    def cancel(self, one: Application) -> None:
        """The citizen wants no more of it."""
        self._try(one, "cancels", one.client.cancel, "step-out-of-order")

    def go_on(self, one: Application, who: int, phone: int) -> None:
        """The next thing that is missing, as the app leads to it; after the last, another application."""
        view = one.client.view()
        if view["status"] != "draft":
            self.follow(one)
            self.start()
            return
        missing = view["missing"]
        match missing[0] if missing else "":
            case "declaration":
                self.declare(one, who, phone, who, misspelt=False)
            case "agency":
                self.choose_agency(one, who, other_address=False)
            case "email" if not one.draft.otp_requests:
                one.draft.otp_requests += 1
                self.request_otp(one, hurry=False)
            case "email":
                one.draft.otp_requests -= 1
                self.confirm_otp(one, hurry=False)
            case "":
                self.submit(one, hurry=False, twice=False)
            case photo:
                self.upload(one, photo.removeprefix("photos."))

    def register(
        self, who: int, phone: int, *, misspelt: bool = False, other_address: bool = False
    ) -> Application:
        """A whole application, as far as it is let."""
        one = self.start()
        self.declare(one, who, phone, who, misspelt=misspelt)
        for kind in one.client.view()["photos_needed"]:
            self.upload(one, kind)
        self.choose_agency(one, who, other_address=other_address)
        self.request_otp(one, hurry=False)
        self.confirm_otp(one, hurry=False)
        self.submit(one, hurry=False, twice=False)
        self.look()
        return one

    def send_supplement(self, one: Application, kinds: list[str]) -> None:
        """What was asked for, or some of it, with an answer."""
        for kind in kinds:
            self.upload(one, kind)
        send = partial(one.client.send_supplement, "Đã chụp lại ảnh.")
        self._try(one, "sends a supplement", send, "step-out-of-order")

    def follow(self, one: Application) -> None:
        """Poll the timeline with its ETag: it has grown, or has not changed."""
        headers = {**one.draft.headers, **({"If-None-Match": one.etag} if one.etag else {})}
        answer = one.client.send("GET", f"{one.draft.path}/timeline", headers=headers)
        assert answer.status_code in (200, 304), answer.text
        if answer.status_code == 200:
            lines = answer.json()["entries"]
            told = [{name: line[name] for name in ("step", "at")} for line in lines]
            assert told[: len(one.timeline)] == one.timeline, f"{one} was told another timeline before"
            one.timeline, one.etag = told, answer.headers["ETag"]
        self.say(f"{one} looks: {answer.status_code} {[line['step'] for line in one.timeline][-2:]}")

    # -- officers --------------------------------------------------------------------------------------

    def case_of(self, one: Application) -> str | None:
        """The id of its case. That of a submitted one is waited for."""
        ends_at = time.monotonic() + (CASE_WITHIN_SECONDS if one.declaration_number else 0.0)
        while not (found := self.town.books.rows("identity", CASE, id=one.id)) and time.monotonic() < ends_at:
            time.sleep(0.05)
        return str(found[0]["id"]) if found else None

    def list_cases(self, one: Application) -> None:
        """The officer searches; what is found is of the own agency, oldest first."""
        number = one.declaration_number or self.people[0].code
        found = list(self.town.officer.cases(q=number))
        ages = [case["opened_at"] for case in found]
        assert ages == sorted(ages), "cases are not listed oldest first"
        self.say(f"officer searches for {one}: {len(found)}")

    def read_case(self, one: Application) -> None:
        """The officer reads the case and its portrait; one of another agency may not."""
        case_id = self.case_of(one)
        if case_id is None:
            self.say(f"officer finds no case of {one}")
            return
        case = self.town.officer.case(case_id)
        for photo in case["photos"][:1]:
            self.town.officer.photo(case_id, photo if isinstance(photo, str) else photo["kind"])
        with pytest.raises(ProblemSeen, match="case-unknown"):
            self.town.stranger.case(case_id)
        self.say(f"officer reads {one}: {case['status']}")

    def confirm(self, one: Application, desk: int = 0) -> None:
        """The papers are right."""
        officer = self.town.desks[desk]
        told = self._at_desk(one, f"officer {desk} confirms", officer.confirm, "person-number-taken")
        self._decided(one, told)

    def reject(self, one: Application, desk: int = 0) -> None:
        """The papers are wrong."""
        officer = self.town.desks[desk]
        told = self._at_desk(one, f"officer {desk} rejects", lambda case_id: officer.reject(case_id, REASON))
        self._decided(one, told)

    def claim(self, one: Application, desk: int) -> None:
        """An officer works on the case: nobody else decides."""
        self._at_desk(one, f"officer {desk} claims", self.town.desks[desk].claim)

    def ask_supplement(self, one: Application, desk: int, kinds: list[str]) -> None:
        """The officer needs photos, and an answer."""
        officer = self.town.desks[desk]
        ask = partial(officer.request_supplement, note="Ảnh bị mờ.")
        what = f"officer {desk} asks for {' '.join(kinds)}"
        self._at_desk(one, what, lambda case_id: ask(case_id, *kinds, "answer"))

    def change_contact(self, who: int, phone: int) -> None:
        """At the desk a citizen shows papers and wants another phone."""
        citizen, wanted = self.people[who % CITIZENS], self.people[phone % PHONES].phone
        change = partial(self.town.officer.change_contact, citizen.code, reason="Mất điện thoại cũ")
        allowed = "account-unknown", "contact-change-pending"
        what = f"c{who % CITIZENS} wants phone {phone % PHONES}"
        told = self._ask(what, lambda: change(phone=wanted), *allowed)
        if told:
            self.say(f"the contact is {told['status']}")

    def _at_desk(self, one: Application, what: str, act: Callable[[str], Any], *allowed: str) -> Any:
        case_id = self.case_of(one)
        if case_id is None:
            self.say(f"officer finds no case of {one}")
            return None
        return self._try(one, what, lambda: act(case_id), "case-already-ended", "case-claimed", *allowed)

    @staticmethod
    def _decided(one: Application, told: Any) -> None:
        if told:
            one.decided.add(told["status"])
            assert len(one.decided) == 1, f"{one} was told two endings: {sorted(one.decided)}"

    # -- all at once -----------------------------------------------------------------------------------

    def at_once(self, one: Application, acts: list[str]) -> None:
        """Several people act on the same application at the same moment."""
        possible: dict[str, Callable[[], None]] = {
            "confirm": lambda: self.confirm(one),
            "reject": lambda: self.reject(one, desk=1),
            "supplement": lambda: self.ask_supplement(one, 1, ["portrait"]),
            "cancel": lambda: self.cancel(one),
            "submit": lambda: self.submit(one, hurry=False, twice=True),
            "deadline": lambda: self.deadline_passes(one),
            "look": lambda: self.follow(one),
        }
        with ThreadPoolExecutor(len(acts)) as together:
            for act in [together.submit(possible[name]) for name in acts]:
                act.result()

    def deadline_passes(self, one: Application) -> None:
        """The last day of the visit is over."""
        came = self.town.hazards.fall_due("registration", one.id, "pass_deadline")
        self.say(f"{one}: the deadline {'passes' if came else 'is not set'}")

    def reminder_falls_due(self, one: Application) -> None:
        """The day of a reminder has come."""
        came = self.town.hazards.fall_due("registration", one.id, "remind")
        self.say(f"{one}: {'reminders are due' if came else 'no reminder'}")

    def register_is_asked_again(self, one: Application) -> None:
        """It is time to ask the register once more."""
        case_id = self.case_of(one)
        came = case_id is not None and self.town.hazards.fall_due("identity", case_id, "check_register")
        self.say(f"{one}: {'the register is asked again' if came else 'nothing to ask the register'}")

    # -- looking ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Compare with the last look; raises ``AssertionError`` when something must never be."""
        now = self._look()
        never(self.seen, now)
        self.seen = now
        for one in self.applications:
            self._check_told(one, now)

    def rest(self) -> None:
        """Wait until nothing is under way, and look again: now all must agree."""
        hazards, books, ids = self.town.hazards, self.town.books, [one.id for one in self.applications]

        def left() -> list[str]:
            return [*books.under_way(), *hazards.queued(), *disagreements(self._look())]

        hazards.wait_ready()
        self._until_nothing(left, SETTLED_WITHIN_SECONDS)
        self._until_nothing(lambda: [*left(), *hazards.not_noted(ids)], NOTED_WITHIN_SECONDS)
        wrong = [
            *more_lines_than_events(self.seen, hazards.told(ids)),
            *(f"{listener} has dead letters" for listener in hazards.newly_dead()),
            *books.given_up(ids),
        ]
        assert not wrong, f"at rest: {'; '.join(wrong)}"
        for one in self.applications:
            self.follow(one)
        self._nothing_arrived_twice()
        self.say("all is at rest")

    def _until_nothing(self, left: Callable[[], list[str]], seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while found := left():
            self.look()
            assert time.monotonic() < ends_at, f"not settled: {'; '.join(found)}"
            time.sleep(0.2)
        self.look()

    def _look(self) -> Look:
        ids = [one.id for one in self.applications]
        codes, phones = [c.code for c in self.people], [c.phone_e164 for c in self.people]
        return self.town.books.look(ids, codes, phones)

    def _check_told(self, one: Application, now: Look) -> None:
        row, case = now.registrations[one.id], now.cases.get(one.id)
        assert one.declaration_number in (None, row["declaration_number"]), f"{one}: its number is not kept"
        for status in one.decided:
            assert case is not None, f"{one} was decided, and its case is gone"
            assert case["status"] == status, f"{one} was told {status}, its case is {case['status']}"
        if one.timeline:
            kept = [line["step"] for line in row["timeline"]]
            told = [line["step"] for line in one.timeline]
            assert kept[: len(told)] == told, f"{one} was told lines that are not kept"

    def _nothing_arrived_twice(self) -> None:
        for phone in {c.phone for c in self.people}:
            texts = [sms["text"] for sms in self.town.inbox.sms(phone) if "khau" in sms["text"]]
            assert len(texts) == len(set(texts)), "the same password arrived twice"

    # -- means -----------------------------------------------------------------------------------------

    def _try(self, one: Application, what: str, act: Callable[[], Any], *allowed: str) -> Any:
        return self._ask(f"{one} {what}", act, *allowed)

    def _ask(self, what: str, act: Callable[[], Any], *allowed: str) -> Any:
        """What an act is answered; None when it is refused, which must be for one of the reasons allowed.
        Who did something too often comes back an hour later."""
        try:
            answer = act()
        except ProblemSeen as problem:
            self.say(f"{what}: {problem.name}")
            if problem.name not in allowed:
                raise AssertionError(f"{what}: {problem}") from problem
            if problem.name.endswith("too-many"):
                self.town.hazards.an_hour_passes()
            return None
        self.say(what)
        return answer

    @contextmanager
    def _hurried(self, one: Application, hurry: bool) -> Iterator[None]:
        one.transport.hurry = hurry
        try:
            yield
        finally:
            one.transport.hurry = False

    def _newest_otp(self, one: Application, wait: bool = True) -> str | None:
        """The newest code at its address; waits for the one that it asked for last."""
        ends_at = time.monotonic() + (OTP_WITHIN_SECONDS if wait and one.address else 0.0)
        while len(found := self._otps(one)) <= one.mails_before and time.monotonic() < ends_at:
            time.sleep(0.05)
        return found[-1] if found else None

    def _otps(self, one: Application) -> list[str]:
        mails = self.town.inbox.emails(one.address, "email_otp") if one.address else []
        return [code for mail in mails for code in OTP.findall(mail["text"])[:1]]


def new_crowd() -> int:
    """Other people and officers in each town, whatever its seed: an installation has seen towns before, and
    they keep their phones, codes and names. The steps are the seed's alone."""
    return secrets.randbelow(2**31)


class Town:
    """What outlives a life: the product, its officers, and a log of every step."""

    def __init__(self, product: Any, seed: int, log: Path, planted: dict[str, ServiceProcess]) -> None:
        endpoints: dict[str, Any] = product.endpoints()
        self.seed = seed
        self._crowd = new_crowd()
        self.gateway = str(endpoints["gateway"])
        self.inbox = Inbox(str(endpoints["sms"]), str(endpoints["mail"]))
        self.books = Books(endpoints["databases"])
        self.hazards = Hazards(product, self.books, planted)
        self.desks = [
            add_officer(product, self.gateway, f"town-{self._crowd}-{n}", AGENCY_CODE) for n in range(2)
        ]
        self.officer = self.desks[0]
        self.stranger = add_officer(product, self.gateway, f"town-{self._crowd}-other", OTHER_AGENCY)
        self.steps = 0
        self._register = Path(endpoints["register_citizens_file"])
        self._log = log.open("a", encoding="utf-8")
        self.lives = 0
        self.failures: list[str] = []

    def newcomers(self, number: int) -> list[Citizen]:
        """New citizens, all of them in the population register."""
        people = generate(CITIZENS, seed=self._crowd + 1_000_003 * number)
        write_register(self._register, [citizen.register_row() for citizen in people])
        return people

    def say(self, what: str) -> None:
        """Into the log, at once."""
        self._log.write(what + "\n")
        self._log.flush()

    def close(self) -> None:
        """Let go, and let everything behave again."""
        self.hazards.close()
        self.books.close()
        for officer in self.desks:
            officer.close()
        self.stranger.close()
        self._log.close()
