"""F14: a stranger tries users who exist and users who do not, in log-in and reset, and measures."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.native.instance import Instance
from tests.faults.crowd import Crowd, new_seed
from tests.faults.distributions import WARM_UP, Compared, measured_in_turns
from tests.faults.replaced import instead

PAIRS, PAIRS_PLANTED = 500, 150
NO_LIMITS = {
    "LOG_IN_TRIES": "1000000/minute",
    "LOG_IN_TRIES_PER_USER": "1000000/minute",
    "LOG_IN_TRIES_PER_ADDRESS": "1000000/minute",
    "LOG_IN_TRIES_PER_NETWORK": "1000000/minute",
    "OTP_TRIES_PER_ADDRESS": "1000000/minute",
    "OTP_TRIES_PER_NETWORK": "1000000/minute",
    "EMAIL_RESET_LIMIT": "1000000/minute",
    "EMAIL_RESET_ADDRESS_LIMIT": "1000000/minute",
    "EMAIL_RESETS_A_DAY": "1000000",
}
OWN_PASSWORD, WRONG, WRONG_CODE = "một mật khẩu mới, đủ dài", "đoán mò đoán mò", "000000"
IDENTITY, PLANTED = "identity", f"{__package__}.planted_resets:IdentityService"
OF_ONE_ANSWER_ONLY = ("x-request-id", "date")


@dataclass
class Stranger:
    """Knows codes and numbers of people, and of nobody; keeps what was answered, but for what is of each
    answer alone."""

    http: httpx.Client
    known: list[str]
    lot: random.Random

    def __post_init__(self) -> None:
        self.answers: dict[bool, set[str]] = {True: set(), False: set()}
        self.resets: dict[bool, list[str]] = {True: [], False: []}

    def user(self, exists: bool) -> str:
        """Somebody, or a number of the same look that is nobody's."""
        user = self.lot.choice(self.known)
        return user if exists else "9" * 4 + f"{self.lot.randrange(10 ** (len(user) - 4)):0{len(user) - 4}}"

    def log_in(self, exists: bool) -> None:
        self.post(exists, "/v1/sessions", {"user": self.user(exists), "password": WRONG})

    def ask_reset(self, exists: bool) -> None:
        told = self.post(exists, "/v1/password-resets", {"user": self.user(exists)})
        if "id" in told:
            self.resets[exists].append(told["id"])

    def finish_reset(self, exists: bool) -> None:
        path = f"/v1/password-resets/{self.resets[exists].pop()}/confirmation"
        self.post(exists, path, {"otp": WRONG_CODE, "new_password": OWN_PASSWORD})

    def post(self, exists: bool, path: str, body: dict[str, str]) -> dict[str, Any]:
        answer = self.http.post(path, json=body)
        told: dict[str, Any] = answer.json()
        alike = {k: v for k, v in told.items() if k not in ("id", "valid_until", "instance", "trace_id")}
        headers = sorted(item for item in answer.headers.items() if item[0] not in OF_ONE_ANSWER_ONLY)
        self.answers[exists].add(repr((answer.status_code, sorted(told), alike, headers)))
        return told


def known_people(product: Instance) -> list[str]:
    """Somebody with a password of the own, and somebody who has not used the first one; by both numbers."""
    crowd = Crowd(product, 2, new_seed())
    found = []
    for number in (0, 1):
        citizen, client = crowd.verify(number)
        password = crowd.inbox.wait_for_password(citizen.phone)
        if number == 0:
            client.log_in(citizen.code, password)
            client.change_password(citizen.code, password, OWN_PASSWORD)
        found += [citizen.code, citizen.personal_number]
    return found


Act = Callable[[Stranger, bool], None]


def tells_nothing(product: Instance, known: list[str], pairs: int, *acts: Act) -> None:
    """Each act, on people and on nobody in turns: one answer in one time."""
    seed = new_seed()
    with httpx.Client(base_url=str(product.endpoints()["gateway"]), timeout=30.0) as http:
        stranger = Stranger(http, known, random.Random(seed))
        if Stranger.ask_reset not in acts and Stranger.finish_reset in acts:
            for _ in range(pairs + WARM_UP):
                stranger.ask_reset(True)
                stranger.ask_reset(False)
        for act in acts:
            stranger.answers = {True: set(), False: set()}
            found = times_of(stranger, act, pairs, seed)
            print(f"{act.__name__}: {found}")
            assert stranger.answers[True] == stranger.answers[False], f"the answer tells: {stranger.answers}"
            assert len(stranger.answers[True]) == 1, stranger.answers
            assert not found.tells, f"the time tells: {act.__name__}, {found}"


def times_of(stranger: Stranger, act: Act, pairs: int, seed: int) -> Compared:
    return measured_in_turns(
        lambda: act(stranger, True), lambda: act(stranger, False), pairs=pairs, seed=seed
    )


@pytest.mark.proves("F14")
def test_five_hundred_pairs_of_log_ins_and_resets_do_not_tell_who_exists(
    product: Instance, tmp_path: Path
) -> None:
    known = known_people(product)
    with instead(product, IDENTITY, tmp_path, **NO_LIMITS):
        tells_nothing(product, known, PAIRS, Stranger.log_in, Stranger.ask_reset, Stranger.finish_reset)


@pytest.mark.planted("F14")
@pytest.mark.parametrize(
    ("defect", "act", "seen"),
    [
        ("nobody is not hashed", Stranger.log_in, "the time tells"),
        ("looked up before the answer", Stranger.ask_reset, "the time tells"),
        ("nobody is told", Stranger.ask_reset, "the answer tells"),
        ("hashed before the code was right", Stranger.finish_reset, "the time tells"),
    ],
)
def test_an_answer_or_a_time_that_tells_is_seen(
    product: Instance, tmp_path: Path, defect: str, act: Act, seen: str
) -> None:
    known = known_people(product)
    with (
        instead(product, PLANTED, tmp_path, PLANTED=defect, **NO_LIMITS),
        pytest.raises(AssertionError, match=seen),
    ):
        tells_nothing(product, known, PAIRS_PLANTED, act)
