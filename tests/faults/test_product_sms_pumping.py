"""F16: somebody has SMS sent: by calls to the hotline, log-ins, resets and declarations, and to abroad."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient
from shared.testing.citizens import Citizen
from shared.testing.client import ProblemSeen
from shared.testing.processes import until
from shared.testing.voice_platform import heard
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import instead

OWN_PASSWORD, NEW_PASSWORD = "một mật khẩu mới, đủ dài", "hai con thằn lằn con đùa nhau"
CALLS, LOG_INS, RESETS = 8, 6, 8
CALLS_A_DAY, CODES_AN_HOUR, CODES_AN_ADDRESS, CODES_A_DAY, RESETS_A_DAY = 5, 3, 2, 2, 5
IDENTITY, PLANTED = "identity", f"{__package__}.planted_pumping:IdentityService"
NOTIFICATION, PLANTED_SMS = "notification", f"{__package__}.planted_sms:NotificationService"


@dataclass(frozen=True)
class Scene:
    """The owner of an account, and what somebody may do who knows much about it."""

    product: Instance
    crowd: Crowd
    owner: Citizen

    def call(self) -> str | None:
        """The password that the hotline reads to whoever calls with the owner's number, or None."""
        platform = self.crowd.world.voice_platform
        answer = platform.send(platform.signed(self.owner.phone, self.owner.code))
        assert answer.status_code in (200, 429), answer.text
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) > 0
            return None
        return heard(answer.json()["text"])

    def rows(self, service: str, query: str, **parameters: Any) -> list[Any]:
        with psycopg.connect(self.product.environment(service)["DATABASE_URL"]) as connection:
            return connection.execute(query, parameters).fetchall()

    def sms(self, purpose: str, *states: str) -> int:
        """How many there are to the owner, in these states or any."""
        states = states or ("waiting", "sending", "unknown", "sent", "delivered", "failed")
        query = """SELECT count(*) FROM message WHERE channel = 'sms' AND recipient = %(phone)s
                   AND purpose = %(purpose)s AND state = ANY(%(states)s)"""
        given = {"phone": self.owner.phone_e164, "purpose": purpose, "states": list(states)}
        ((count,),) = self.rows("notification", query, **given)
        return int(count)


@contextmanager
def scene(product: Instance) -> Iterator[Scene]:
    """Somebody who is logged in, with a password of the own."""
    crowd = Crowd(product, 1, new_seed())
    owner, client = crowd.verify(0)
    password = crowd.inbox.wait_for_password(owner.phone)
    client.log_in(owner.code, password)
    client.change_password(owner.code, password, OWN_PASSWORD)
    yield Scene(product, crowd, owner)


def calls_of_one_phone(the: Scene) -> None:
    """Each password that is read is told by SMS."""
    answers = [the.call() for _ in range(CALLS)]
    assert sum(answer is not None for answer in answers) == CALLS_A_DAY, "the hotline answers without end"
    until(lambda: the.sms("reissued") == CALLS_A_DAY, 60.0, lambda: f"{the.sms('reissued')} SMS")


def codes_for_log_ins(the: Scene, most: int) -> None:
    """Each log-in with a password of the hotline, on another device, is a code by SMS."""
    spoken = the.call()
    assert spoken is not None
    answers = []
    for _ in range(LOG_INS):
        try:
            answers.append(CitizenClient(the.crowd.gateway).log_in(the.owner.code, spoken)["next_step"])
        except ProblemSeen as refused:
            answers.append(refused.name)
    assert answers == ["otp"] * most + ["otp-too-many"] * (LOG_INS - most), f"codes without end: {answers}"
    until(lambda: the.sms("log_in_otp") == most, 60.0, lambda: f"{the.sms('log_in_otp')} codes")


def codes_of_an_hour(the: Scene) -> None:
    codes_for_log_ins(the, CODES_AN_HOUR)


def codes_of_a_day(the: Scene) -> None:
    codes_for_log_ins(the, CODES_A_DAY)


def codes_for_an_address(the: Scene) -> None:
    codes_for_log_ins(the, CODES_AN_ADDRESS)


def numbers_abroad(the: Scene) -> None:
    """Neither a citizen nor an officer can name a phone abroad, and none is reached."""
    client, citizen = CitizenClient(the.crowd.gateway), the.owner
    client.start()
    officer = the.crowd.world.officers[the.crowd.world.agency_of(citizen)]
    change = {"user": citizen.code, "papers_checked": True, "reason": "Công dân đổi số điện thoại."}
    for abroad in ("+15551234567", "0015551234567", "+8613800138000"):
        with pytest.raises(ProblemSeen) as refused:
            client.declare(citizen.declaration() | {"phone": abroad})
        assert (refused.value.status, "phone" in str(refused.value.fields)) == (422, True)
        with pytest.raises(ProblemSeen) as refused:
            officer.ask("POST", "/v1/staff/contact-changes", json=change | {"phone": abroad})
        assert (refused.value.status, refused.value.fields) == (422, ["phone"])


def resets(the: Scene) -> None:
    """Each reset that was finished is told by SMS; there are so many in a day."""
    client = CitizenClient(the.crowd.gateway)
    for number in range(1, RESETS_A_DAY + 1):
        reset_id = client.ask_reset(the.owner.code)
        code = the.crowd.inbox.wait_for_otp(the.owner.email, purpose="reset_otp", count=number)
        client.finish_reset(reset_id, code, f"{NEW_PASSWORD} {number}")
    for _ in range(RESETS - RESETS_A_DAY):
        with pytest.raises(ProblemSeen, match="resets-too-many"):
            client.ask_reset(the.owner.code)
    told = RESETS_A_DAY
    until(lambda: the.sms("password_changed") == told, 60.0, lambda: f"{the.sms('password_changed')} SMS")


Story = Callable[[Scene], None]
LIMITED: dict[Story, dict[str, str]] = {
    codes_for_an_address: {"LOG_IN_OTPS_PER_ADDRESS": f"{CODES_AN_ADDRESS}/minute"},
    codes_of_a_day: {"LOG_IN_OTPS_PER_DAY": f"{CODES_A_DAY}/day"},
}


@pytest.mark.proves("F16")
@pytest.mark.parametrize("story", [calls_of_one_phone, codes_of_an_hour, resets, numbers_abroad])
def test_each_way_to_an_sms_has_its_quota(product: Instance, story: Story) -> None:
    with scene(product) as the:
        story(the)


@pytest.mark.proves("F16")
@pytest.mark.parametrize("story", [codes_for_an_address, codes_of_a_day])
def test_an_address_and_a_day_have_their_quotas(product: Instance, tmp_path: Path, story: Story) -> None:
    with scene(product) as the, instead(product, IDENTITY, tmp_path, **LIMITED[story]):
        story(the)


@pytest.mark.planted("F16")
@pytest.mark.parametrize(
    ("quota", "story", "seen"),
    [
        ("calls of a phone", calls_of_one_phone, "answers without end"),
        ("codes of an account", codes_of_an_hour, "codes without end"),
        ("codes for an address", codes_for_an_address, "codes without end"),
        ("codes of a day", codes_of_a_day, "codes without end"),
    ],
)
def test_a_way_without_its_quota_is_seen(
    product: Instance, tmp_path: Path, quota: str, story: Story, seen: str
) -> None:
    settings = LIMITED.get(story, {}) | {"PLANTED": quota}
    with (
        scene(product) as the,
        instead(product, PLANTED, tmp_path, **settings),
        pytest.raises(AssertionError, match=seen),
    ):
        story(the)


def what_is_over_the_quota_waits(the: Scene, target: str, folder: Path, **settings: str) -> int:
    """Five notices are due and three may leave. Returns how many left."""
    with instead(the.product, target, folder, **settings):
        for _ in range(CALLS_A_DAY):
            assert the.call() is not None
        parked = "SELECT count(*) FROM jobs WHERE kind = 'send_sms' AND due_at > now() + interval '20 min'"
        until(
            lambda: the.sms("reissued", "sent", "delivered") + the.rows("notification", parked)[0][0] >= 5,
            60.0,
            "a notice is neither sent nor put off",
        )
        return the.sms("reissued", "sent", "delivered")


MAY_LEAVE = 3


def settings_of(the: Scene, quota: str) -> dict[str, str]:
    """With which three more notices leave today."""
    if quota == "phone":
        ((told,),) = the.rows(
            "notification",
            "SELECT coalesce(sum(sent), 0) FROM sms_counted WHERE recipient = %(phone)s",
            phone=the.owner.phone_e164,
        )
        return {"SMS_PER_PHONE": str(told + MAY_LEAVE)}
    ((sent,),) = the.rows("notification", "SELECT max(sent) FROM sms_counted WHERE recipient = ''")
    for_notices = sent + MAY_LEAVE
    per_day = next(n for n in itertools.count(for_notices) if n - n // 10 == for_notices)  # a tenth is kept
    return {"SMS_PER_DAY": str(per_day)}


@pytest.mark.proves("F16")
@pytest.mark.parametrize("quota", ["day", "phone"])
def test_over_the_ceiling_nothing_leaves_and_nothing_is_lost(
    product: Instance, tmp_path: Path, quota: str
) -> None:
    with scene(product) as the:
        limit = settings_of(the, quota)
        left = what_is_over_the_quota_waits(the, NOTIFICATION, tmp_path, **limit)
        assert left == MAY_LEAVE, f"{left} SMS left"
        with psycopg.connect(product.environment("notification")["DATABASE_URL"]) as connection:
            connection.execute("UPDATE jobs SET due_at = now() WHERE kind = 'send_sms'")
        until(lambda: the.sms("reissued", "sent", "delivered") == CALLS_A_DAY, 60.0, "what waited is lost")
        told = [sms for sms in the.crowd.inbox.sms(the.owner.phone) if "duoc cap lai" in sms["text"]]
        assert len(told) == CALLS_A_DAY


@pytest.mark.planted("F16")
@pytest.mark.parametrize("quota", ["day", "phone"])
def test_a_ceiling_that_is_not_kept_is_seen(product: Instance, tmp_path: Path, quota: str) -> None:
    with scene(product) as the:
        limit = settings_of(the, quota)
        left = what_is_over_the_quota_waits(the, PLANTED_SMS, tmp_path, PLANTED=quota, **limit)
    assert left > MAY_LEAVE, "the planted defect is not seen"
