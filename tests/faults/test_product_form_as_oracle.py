"""F24: the form is used to learn about other people: numbers, names and birth dates are tried."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient
from shared.testing.citizens import Citizen
from shared.testing.client import ProblemSeen
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import asked_of_register, instead, register

PLANTED = f"{__package__}.planted_registration:RegistrationService"
CHECK_SECONDS = 2.0
QUESTIONS = 3
TOLD = ("register_check", "register_text", "photos_needed", "missing", "steps", "warnings")
NOBODY = "001199999999"


def declaration(citizen: Citizen, **changes: Any) -> dict[str, Any]:
    return copy.deepcopy(citizen.declaration()) | changes


def unknown_number(citizen: Citizen) -> dict[str, Any]:
    """A number of the right look that the register does not know."""
    number = citizen.personal_number[:6] + f"{(int(citizen.personal_number[6:]) + 1) % 10**6:06}"
    return declaration(citizen, document={"kind": "cccd", "number": number})


def wrong_name(citizen: Citizen) -> dict[str, Any]:
    return declaration(citizen, full_name="Nguyễn Thị Thử Khác")


def wrong_birth(citizen: Citizen) -> dict[str, Any]:
    year, rest = citizen.birth[:4], citizen.birth[4:]
    birth = {
        "precision": citizen.birth_precision,
        "value": f"{int(year) + 1}{rest.replace('02-29', '02-28')}",
    }
    return declaration(citizen, birth=birth)


def what_it_tells(crowd: Crowd, form: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """What a new draft is told about a declaration, and after how many seconds."""
    client = CitizenClient(crowd.gateway)
    client.start()
    started = time.monotonic()
    view = client.declare(form)
    return {name: view[name] for name in TOLD}, time.monotonic() - started


def answers_differ_in_nothing(product: Instance, crowd: Crowd) -> None:
    """No such number, another name, another birth date: the same words, and never before the time is up,
    however soon the register knew."""
    citizen = next(c for c in crowd.world.citizens if c.code not in crowd.world.strangers)
    tried: list[Callable[[Citizen], dict[str, Any]]] = [unknown_number, wrong_name, wrong_birth]
    for delay_seconds in (0.0, CHECK_SECONDS / 2):
        with register(product, delay_seconds=delay_seconds):
            told = [what_it_tells(crowd, form(citizen)) for form in tried]
        words = [{k: v for k, v in view.items() if k != "warnings"} for view, _ in told]
        assert words == [words[0]] * len(tried), "the answer tells what was wrong"
        assert words[0]["register_check"] == "photos_needed"
        assert min(seconds for _, seconds in told) >= CHECK_SECONDS, "the time tells what was wrong"
    assert what_it_tells(crowd, citizen.declaration())[0]["register_check"] == "matched"


def each_asks_a_few_times(product: Instance, crowd: Crowd) -> None:
    """One draft, then many drafts about one number: after some questions the register is asked no more, and
    even the right combination is told nothing but photos."""
    one, other = [c for c in crowd.world.citizens if c.code not in crowd.world.strangers][:2]
    client = CitizenClient(crowd.gateway)
    client.start()
    for guess in range(QUESTIONS):
        name = f"Nguyễn Thị Thử {'ABCDEFGH'[guess]}"
        client.declare(declaration(one, full_name=name) | {"document": {"kind": "cccd", "number": NOBODY}})
    view = client.declare(one.declaration())
    assert view["register_check"] == "photos_needed", "one draft asks without end"
    assert asked_of_register(product, one.personal_number) == []

    for guess in range(QUESTIONS):
        assert what_it_tells(crowd, declaration(other, full_name=f"Trần Văn Thử {'ABCDEFGH'[guess]}"))
    told, _ = what_it_tells(crowd, other.declaration())
    assert told["register_check"] == "photos_needed", "one number is asked about without end"
    assert len(asked_of_register(product, other.personal_number)) == QUESTIONS


def an_address_asks_a_few_times(product: Instance, crowd: Crowd) -> None:
    """Every question of another draft about another number, all from one address."""
    known = [c for c in crowd.world.citizens if c.code not in crowd.world.strangers]
    told = [what_it_tells(crowd, citizen.declaration())[0]["register_check"] for citizen in known]
    assert told[:QUESTIONS] == ["matched"] * QUESTIONS
    assert set(told[QUESTIONS:]) == {"photos_needed"}, "one address asks without end"


def what_is_taken_is_told_rarely(product: Instance, crowd: Crowd) -> None:
    """Phones of other people are tried in a whole form: after some, whatever is submitted is refused."""
    holder, curious = crowd.world.citizens[:2]
    accepted = CitizenClient(crowd.gateway).register(holder, crowd.inbox.wait_for_otp)
    crowd.accepted(holder, accepted.registration_id, accepted.declaration_number)
    client = CitizenClient(crowd.gateway)
    with pytest.raises(ProblemSeen) as refused:
        client.register(replace(curious, phone=holder.phone), crowd.inbox.wait_for_otp)
    names = [refused.value.name]
    for _ in range(QUESTIONS):
        with pytest.raises(ProblemSeen) as refused:
            client.submit()
        names.append(refused.value.name)
    assert names == ["phone-taken"] * QUESTIONS + ["submissions-too-many"], (
        "what is taken is told without end"
    )
    client.declare(curious.declaration())
    with pytest.raises(ProblemSeen) as refused:
        client.submit()
    assert refused.value.name == "submissions-too-many"


def limits(**changed: str) -> dict[str, str]:
    """Each of its own length, so that its counter is of this run alone."""
    window = f"{int(time.time()) % 80_000 + 3_600}seconds"
    names = ("CHECK_DRAFT_LIMIT", "CHECK_NUMBER_LIMIT", "TAKEN_DRAFT_LIMIT")
    each = dict.fromkeys(names, f"{QUESTIONS}/{window}")
    return each | {name: limit.replace("window", window) for name, limit in changed.items()}


@pytest.fixture
def crowd(product: Instance) -> Crowd:
    return Crowd(product, QUESTIONS + 4, new_seed())


@pytest.mark.proves("F24")
def test_what_the_form_says_and_when_is_the_same_whatever_did_not_match(
    product: Instance, crowd: Crowd
) -> None:
    answers_differ_in_nothing(product, crowd)


@pytest.mark.proves("F24")
def test_a_draft_a_number_and_an_address_ask_a_few_times_and_redis_holds_no_number(
    product: Instance, crowd: Crowd, tmp_path: Path
) -> None:
    with instead(product, "registration", tmp_path, **limits()):
        each_asks_a_few_times(product, crowd)
        what_is_taken_is_told_rarely(product, Crowd(product, 2, new_seed() + 2))
    with instead(product, "registration", tmp_path, **limits(CHECK_ADDRESS_LIMIT=f"{QUESTIONS}/window")):
        an_address_asks_a_few_times(product, Crowd(product, QUESTIONS + 4, new_seed() + 1))
    with redis.Redis.from_url(str(product.endpoints()["redis"])) as cache:
        kept = b" ".join(cache.scan_iter(count=10_000))
        assert b"check_number" in kept
        for citizen in crowd.world.citizens:
            assert citizen.personal_number.encode() not in kept


@pytest.mark.proves("F24")
def test_while_nobody_counts_nobody_learns_anything_and_the_form_goes_on(
    product: Instance, crowd: Crowd, tmp_path: Path
) -> None:
    citizen = next(c for c in crowd.world.citizens if c.code not in crowd.world.strangers)
    with instead(product, "registration", tmp_path, REDIS_URL="redis://127.0.0.1:1/0"):
        assert what_it_tells(crowd, citizen.declaration())[0]["register_check"] == "photos_needed"
    assert asked_of_register(product, citizen.personal_number) == []


@pytest.mark.planted("F24")
@pytest.mark.parametrize(
    ("defect", "part", "seen"),
    [
        ("told as soon as known", answers_differ_in_nothing, "the time tells what was wrong"),
        ("nobody counts", each_asks_a_few_times, "one draft asks without end"),
        ("nobody counts", an_address_asks_a_few_times, "one address asks without end"),
        ("nobody counts what is taken", what_is_taken_is_told_rarely, "what is taken is told without end"),
    ],
)
def test_a_form_that_tells_more_is_seen(
    product: Instance, crowd: Crowd, tmp_path: Path, defect: str, part: Callable[..., None], seen: str
) -> None:
    with (
        instead(product, PLANTED, tmp_path, PLANTED=defect, **limits()),
        pytest.raises(AssertionError, match=seen),
    ):
        part(product, crowd)
