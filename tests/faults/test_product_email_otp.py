"""F15: a code for an e-mail address is guessed, replayed, used on another registration, and late."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import AGENCY_CODE, CitizenClient, photo_of
from shared.testing.client import ProblemSeen
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import instead

TRIES = 5
CODES_AN_HOUR = 3


class Applicant:
    """A citizen at step 4, who waits for a code at an e-mail address that nobody else has used."""

    def __init__(self, crowd: Crowd, number: int, email: str = "") -> None:
        citizen = crowd.world.citizens[number]
        self.email = email or f"{uuid.uuid4().hex}@example.org"
        self.client = CitizenClient(crowd.gateway)
        self._inbox = crowd.inbox
        self.client.start()
        for kind in self.client.declare(citizen.declaration())["photos_needed"]:
            self.client.upload(kind, photo_of(citizen, kind))
        self.client.choose_agency(AGENCY_CODE, self.email)

    @property
    def id(self) -> str:
        assert self.client.draft is not None
        return self.client.draft.registration_id

    def new_code(self) -> str:
        """Ask for a code, and wait for it."""
        before = len(self._inbox.emails(self.email, "email_otp"))
        self.client.request_otp()
        self._inbox._wait(
            lambda: self._inbox.emails(self.email, "email_otp")[before:], 60.0, "another OTP e-mail"
        )
        return self._inbox.wait_for_otp(self.email)

    def refusal(self, code: str, otherwise: str) -> str:
        """The name of the refusal of a code; fails saying ``otherwise`` when it is accepted."""
        try:
            self.client.confirm_otp(code)
        except ProblemSeen as problem:
            return problem.name
        raise AssertionError(otherwise)


def codes_are_good_for_one_thing_once(product: Instance) -> None:
    crowd = Crowd(product, 3, new_seed())
    another_is_refused(crowd)
    guessing_is_refused(crowd)
    late_and_replayed_are_refused(product, crowd)


def another_is_refused(crowd: Crowd) -> None:
    """One address, two registrations: the code of one is no use to the other, before or after it is used."""
    one = Applicant(crowd, 0)
    code = one.new_code()
    other = Applicant(crowd, 1, one.email)
    accepted = "a code of another registration was accepted"
    assert other.refusal(code, accepted) == "otp-expired"  # it waits for none
    theirs = other.new_code()
    if theirs != code:
        assert other.refusal(code, accepted) == "otp-wrong"
        assert one.refusal(theirs, accepted) == "otp-wrong"
    assert one.client.confirm_otp(code)["email_verified"]
    assert not other.client.view()["email_verified"]


def guessing_is_refused(crowd: Crowd) -> None:
    """Five tries a code, three codes an hour, whoever asks; and the form stays as it was."""
    guessed = Applicant(crowd, 0)
    before = guessed.client.view()
    for _ in range(CODES_AN_HOUR):
        code = guessed.new_code()
        wrong = "000000" if code != "000000" else "000001"
        refusals = [guessed.refusal(wrong, "a wrong code was accepted") for _ in range(TRIES)]
        assert refusals == ["otp-wrong"] * TRIES
        assert guessed.refusal(code, "guessing goes on without end") == "otp-expired"
    with pytest.raises(ProblemSeen) as refused:
        guessed.client.request_otp()
    assert refused.value.name == "otp-too-many"
    assert guessed.client.view() == before, "the form has changed"


def late_and_replayed_are_refused(product: Instance, crowd: Crowd) -> None:
    late = Applicant(crowd, 2)
    code = late.new_code()
    let_ten_minutes_pass(product, late.id)
    assert late.refusal(code, "a late code was accepted") == "otp-expired"
    code = late.new_code()
    assert late.client.confirm_otp(code)["missing"] == []
    assert late.refusal(code, "a code was accepted twice") == "otp-expired"


def let_ten_minutes_pass(product: Instance, registration_id: str) -> None:
    """As far as the code of this registration knows."""
    databases = product.endpoints()["databases"]
    assert isinstance(databases, dict)
    with psycopg.connect(databases["registration"]) as connection:
        changed = connection.execute(
            """
            UPDATE registrations SET email_otp = jsonb_set(email_otp, '{valid_until}',
                to_jsonb((email_otp ->> 'valid_until')::timestamptz - interval '10 minutes'))
            WHERE id = %s AND email_otp IS NOT NULL
            """,
            [registration_id],
        )
        assert changed.rowcount == 1


@pytest.mark.proves("F15")
def test_a_code_that_is_guessed_replayed_of_another_registration_or_late_is_refused(
    product: Instance,
) -> None:
    codes_are_good_for_one_thing_once(product)


@pytest.mark.planted("F15")
@pytest.mark.parametrize(
    ("defect", "part", "seen"),
    [
        ("any code fits", another_is_refused, "a code of another registration was accepted"),
        ("tries without end", guessing_is_refused, "guessing goes on without end"),
        ("valid for ever", late_and_replayed_are_refused, "a late code was accepted"),
        ("used again and again", late_and_replayed_are_refused, "a code was accepted twice"),
    ],
)
def test_a_code_that_is_good_for_more_is_seen(
    product: Instance, tmp_path: Path, defect: str, part: Callable[..., None], seen: str
) -> None:
    crowd = Crowd(product, 3, new_seed())
    target = f"{__package__}.planted_registration:RegistrationService"
    arguments = (product, crowd) if part is late_and_replayed_are_refused else (crowd,)
    with instead(product, target, tmp_path, PLANTED=defect), pytest.raises(AssertionError, match=seen):
        part(*arguments)
