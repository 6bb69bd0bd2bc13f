"""F7: Redis is emptied, and gone, while citizens are on their way: only what needs its counters waits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis

from deploy.demo.hotline import code_for_log_in
from deploy.demo.journey import compare
from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient, Draft, photo_of
from shared.testing.citizens import Citizen
from shared.testing.client import ProblemSeen
from shared.testing.voice_platform import VoicePlatform, heard
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import instead
from tests.faults.servers import Breakable
from tests.fixtures import forget_place

AT_ONCE, LEAST = 8, 16
EMPTIED = 30
WRONG_TRIES = 10
OWN_PASSWORD, CHOSEN_ANEW = "một mật khẩu mới, đủ dài", "lại một mật khẩu mới nữa"
PLANTED = f"{__package__}.planted_identity:IdentityService"


@pytest.mark.proves("F7")
def test_a_crowd_gets_through_while_redis_is_emptied_again_and_again(product: Instance) -> None:
    crowd = Crowd(product, 100, new_seed())
    with (
        redis.Redis.from_url(str(product.endpoints()["redis"])) as cache,
        crowd.on_the_way(AT_ONCE, LEAST),
    ):
        for _ in range(EMPTIED):
            cache.flushall()
            time.sleep(0.1)
    report = crowd.ledger.wait_until_final()
    assert report.is_clean, str(report)
    assert [journey.problem for journey in crowd.journeys if not journey.is_through] == []


def life_goes_on_without_redis(product: Instance) -> None:
    """One has an account, one waits for the desk, one is about to prove an e-mail; then Redis goes."""
    crowd = Crowd(product, 3, new_seed())
    owner, member = crowd.verify(0)
    password = crowd.inbox.wait_for_password(owner.phone)
    member.log_in(owner.code, password)
    member.change_password(owner.code, password, OWN_PASSWORD)
    crowd.ledger.changed_password(held(member).registration_id)
    spoken = heard(crowd.world.voice_platform.reissue(owner.phone, owner.code)["text"])
    crowd.ledger.reissued(held(member).registration_id)
    waiting, applicant = crowd.world.citizens[1], CitizenClient(crowd.gateway)
    accepted = applicant.register(waiting, crowd.inbox.wait_for_otp, crowd.world.agency_of(waiting))
    crowd.accepted(waiting, accepted.registration_id, accepted.declaration_number)
    late, newcomer = crowd.world.citizens[2], CitizenClient(crowd.gateway, patience_seconds=0.0)

    with Breakable(product.run).stopped("redis"):
        comes_as_far_as_the_code(newcomer, late, crowd)
        officer = crowd.world.officers[crowd.world.agency_of(waiting)]
        told = officer.confirm(officer.find(accepted.declaration_number)["id"])
        crowd.ledger.decided(accepted.registration_id, told["status"])
        first = CitizenClient(crowd.gateway)
        first.log_in(waiting.code, crowd.inbox.wait_for_password(waiting.phone))
        member.log_in(owner.code, OWN_PASSWORD)
        compare(member.participation(), owner)
        the_hotline_asks_to_call_later(crowd.world.voice_platform, owner)
        asked = CitizenClient(crowd.gateway, patience_seconds=0.0)
        is_refused_politely(asked, "/v1/password-resets", "resets", user=owner.code, email=owner.email)
        is_refused_politely(asked, "/v1/sessions", "otp", user=owner.code, password=spoken)
        guessing_is_held_back(crowd.gateway, late.code)

    is_held_back(crowd.gateway, late.code)
    forget_place(product)
    newcomer.patience_seconds = 60.0
    newcomer.prove_email(late.email, crowd.inbox.wait_for_otp)
    crowd.accepted(late, held(newcomer).registration_id, newcomer.submit()["declaration_number"])
    gets_in_after_all(crowd, owner, spoken, held(member).registration_id)
    report = crowd.ledger.wait_until_final()
    assert report.is_clean, str(report)


def comes_as_far_as_the_code(client: CitizenClient, citizen: Citizen, crowd: Crowd) -> None:
    """The steps are taken; only the code to the e-mail is refused, politely, and may be asked for later."""
    client.start()
    for kind in client.declare(citizen.declaration())["photos_needed"]:
        client.upload(kind, photo_of(citizen, kind))
    client.choose_agency(crowd.world.agency_of(citizen), citizen.email)
    is_refused_politely(client, f"{held(client).path}/email-otp", "otp", headers=held(client).headers)


def is_refused_politely(
    client: CitizenClient, path: str, what: str, headers: dict[str, str] | None = None, **body: str
) -> None:
    """It is to be tried again later; the ledger would know of a message that was sent all the same."""
    answer = client.send("POST", path, json=body, headers=headers or {})
    assert answer.status_code == 503, f"{path} is answered uncounted: {answer.text}"
    assert answer.json()["type"].endswith(f"/{what}-unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def gets_in_after_all(crowd: Crowd, owner: Citizen, spoken: str, registration_id: str) -> None:
    """The log-in that needs a code, and the reset, that were refused: each sends one code and is done."""
    phone, forgetful = CitizenClient(crowd.gateway), CitizenClient(crowd.gateway)
    assert phone.log_in(owner.code, spoken)["next_step"] == "otp"
    phone.confirm_log_in(code_for_log_in(crowd.inbox, owner.phone))
    crowd.ledger.logged_in_with_code(registration_id)
    reset_id = forgetful.ask_reset(owner.code, owner.email)
    otp = crowd.inbox.wait_for_otp(owner.email, purpose="reset_otp")
    forgetful.finish_reset(reset_id, otp, CHOSEN_ANEW)
    crowd.ledger.reset_password(registration_id)
    forgetful.log_in(owner.code, CHOSEN_ANEW)


def the_hotline_asks_to_call_later(platform: VoicePlatform, citizen: Citizen) -> None:
    """No password is made uncounted; the ledger would know of one."""
    answer = platform.send(platform.signed(citizen.phone, citizen.code))
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("/hotline-unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def guessing_is_held_back(gateway: str, code: str) -> None:
    """Wrong log-ins are counted all the same, of somebody and of nobody; here nobody is told of it."""
    stranger = CitizenClient(gateway)
    refusals = []
    for _ in range(WRONG_TRIES + 1):
        with pytest.raises(ProblemSeen) as refused:
            stranger.log_in(code, "đoán mò")
        refusals.append(refused.value.name)
    assert refusals == ["log-in-failed"] * WRONG_TRIES + ["too-many-tries"], "guessing is not held back"


def is_held_back(gateway: str, code: str) -> None:
    """Redis is back, and knows of none of the guesses."""
    with pytest.raises(ProblemSeen) as refused:
        CitizenClient(gateway, patience_seconds=0.0).log_in(code, "đoán mò")
    assert refused.value.name == "too-many-tries", "the guesses are forgotten"


def held(client: CitizenClient) -> Draft:
    assert client.draft is not None
    return client.draft


@pytest.mark.proves("F7")
def test_without_redis_log_in_look_ups_and_cases_go_on_and_codes_are_refused_politely(
    product: Instance,
) -> None:
    life_goes_on_without_redis(product)


@pytest.mark.planted("F7")
@pytest.mark.parametrize(
    ("defect", "seen"),
    [
        ("guesses uncounted", "guessing is not held back"),
        ("resets uncounted", "/v1/password-resets is answered uncounted"),
        ("codes uncounted", "/v1/sessions is answered uncounted"),
    ],
)
def test_what_nobody_counts_is_seen(product: Instance, tmp_path: Path, defect: str, seen: str) -> None:
    with (
        instead(product, PLANTED, tmp_path, PLANTED=defect),
        pytest.raises(AssertionError, match=seen),
    ):
        life_goes_on_without_redis(product)
