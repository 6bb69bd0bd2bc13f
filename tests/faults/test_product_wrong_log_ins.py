"""F13: a stranger guesses: one account's password from one address and from many, many accounts' from one."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.demo.hotline import code_for_log_in
from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient
from shared.testing.citizens import Citizen
from shared.testing.client import NotInTime
from shared.testing.processes import ServiceProcess, free_port, until
from shared.testing.voice_platform import heard
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import instead

TRIES, TRIES_PLANTED = 1000, 105
AT_ONCE = 4
A_MINUTE, A_MINUTE_OF_A_NETWORK, AN_HOUR_OF_A_USER = 10, 100, 100
TOLD_WITHIN_SECONDS = 15.0
OWN_PASSWORD, CHOSEN_ANEW = "một mật khẩu mới, đủ dài", "lại một mật khẩu mới nữa"
WRONG = "đoán mò đoán mò"
FAILED, HELD_BACK = "log-in-failed", "too-many-tries"
IDENTITY, PLANTED = "identity", f"{__package__}.planted_guessing:IdentityService"

Guess = tuple[str, str]
"""A user, and the address from which somebody guesses at the password."""


@dataclass(frozen=True)
class Scene:
    """Behind a proxy of the site's own, so that the test may come from any address; with one account."""

    http: httpx.Client
    crowd: Crowd
    owner: Citizen
    known_device: CitizenClient
    lot: random.Random
    tries: int

    def address(self) -> str:
        """Somewhere, another one each time, in a network of its own."""
        return ".".join(str(self.lot.randint(1, 254)) for _ in range(4))

    def nobody(self) -> str:
        """A code that looks like one: which accounts exist makes no difference (F14)."""
        return f"9999{self.lot.randrange(10**6):06d}"

    def guess(self, guesses: Iterable[Guess]) -> tuple[Counter[str], int]:
        """What was answered, how often, and the minutes that began meanwhile."""
        started = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as together:
            answers = Counter(together.map(lambda guess: self.try_once(*guess, WRONG), guesses))
        print(f"{dict(answers)} in {time.monotonic() - started:.0f} s")
        return answers, 1 + int((time.monotonic() - started) // 60)

    def post(self, body: dict[str, str | None], address: str) -> httpx.Response:
        return self.http.post("/v1/sessions", json=body, headers={"X-Forwarded-For": address})

    def try_once(self, user: str, address: str, password: str) -> str:
        """The name of the refusal or of the step that is next, or empty."""
        body = {"user": user, "password": password}
        while (answer := self.post(body, address)).status_code == 503:
            time.sleep(0.3)
        assert answer.status_code in (200, 202, 401, 429), answer.text
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) > 0
        told = answer.json()
        return told["type"].rsplit("/", 1)[-1] if answer.is_error else told.get("next_step", "")


@contextmanager
def scene(product: Instance, folder: Path, target: str, defect: str, tries: int) -> Iterator[Scene]:
    """The owner of an account is logged in on a device; identity may have a defect."""
    seed = new_seed()
    crowd = Crowd(product, 1, seed)
    owner, device = crowd.verify(0)
    password = crowd.inbox.wait_for_password(owner.phone)
    device.log_in(owner.code, password)
    device.change_password(owner.code, password, OWN_PASSWORD)
    port = free_port()
    environment = product.environment("gateway") | {"HTTP_PORT": str(port), "TRUSTED_PROXIES": "1"}
    gateway = ServiceProcess("", environment, folder / "gateway.log", module="services.gateway")
    with (
        instead(product, target, folder, PLANTED=defect),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0) as http,
    ):
        gateway.start()
        try:
            gateway.wait_ready()
            until(lambda: listens(http), 30.0, "the gateway does not listen")
            yield Scene(http, crowd, owner, device, random.Random(seed), tries)
        finally:
            gateway.kill()


def listens(http: httpx.Client) -> bool:
    try:
        return bool(http.get("/").status_code)
    except httpx.ConnectError:
        return False


def one_account_from_one_address(scene: Scene) -> None:
    """Ten guesses a minute; the owner gets in on a known device, and on a new one elsewhere."""
    address = scene.address()
    answers, minutes = scene.guess([(scene.owner.code, address)] * scene.tries)
    assert answers[FAILED] <= A_MINUTE * minutes, "one address guesses at one account"
    owner_gets_in(scene)
    assert scene.try_once(scene.owner.code, scene.address(), OWN_PASSWORD) == "", "owner locked out"
    owner_is_told_once(scene)


def one_account_from_many_addresses(scene: Scene) -> None:
    """A hundred guesses an hour; the owner gets in on a known device."""
    answers, _ = scene.guess([(scene.owner.code, scene.address()) for _ in range(scene.tries)])
    assert answers[FAILED] <= AN_HOUR_OF_A_USER, "many addresses guess at one account"
    assert scene.try_once(scene.owner.code, scene.address(), OWN_PASSWORD) == HELD_BACK, (
        "a guess that is right"
    )
    owner_gets_in(scene)
    owner_is_told_once(scene)


def many_accounts_from_one_address(scene: Scene) -> None:
    """Ten guesses a minute, whosever; its neighbours still log in, and nobody is told of one wrong try."""
    address = scene.address()
    users = [scene.owner.code, *(scene.nobody() for _ in range(scene.tries - 1))]
    answers, minutes = scene.guess([(user, address) for user in users])
    assert answers[FAILED] <= A_MINUTE * minutes, "one address guesses at many accounts"
    assert scene.try_once(scene.owner.code, address, OWN_PASSWORD) == HELD_BACK, "a guess that is right"
    neighbour = f"{address.rpartition('.')[0]}.255"
    assert scene.try_once(scene.owner.code, neighbour, OWN_PASSWORD) == "", "owner locked out"
    owner_gets_in(scene)
    assert scene.crowd.inbox.emails(scene.owner.email, "throttled") == []


def many_accounts_from_one_network(scene: Scene) -> None:
    """A hundred guesses a minute, by whomever in it."""
    network = scene.address().rpartition(".")[0]
    guesses = [(scene.nobody(), f"{network}.{number % 255}") for number in range(scene.tries)]
    answers, minutes = scene.guess(guesses)
    assert answers[FAILED] <= A_MINUTE_OF_A_NETWORK * minutes, "one network guesses at many accounts"


def owner_gets_in(scene: Scene) -> None:
    body = {
        "user": scene.owner.code,
        "password": OWN_PASSWORD,
        "device_token": scene.known_device.device_token,
    }
    answer = scene.post(body, scene.address())
    assert answer.status_code == 200, f"owner locked out: {answer.text}"


def owner_gets_in_with_a_password_of_the_hotline(scene: Scene) -> None:
    """On a new device while the guessing goes on: with the password that was read aloud and a code by SMS."""
    owner, inbox = scene.owner, scene.crowd.inbox
    spoken = heard(scene.crowd.world.voice_platform.reissue(owner.phone, owner.code)["text"])
    step = scene.post({"user": owner.code, "password": spoken}, scene.address())
    assert step.status_code == 202, f"owner locked out, called the hotline: {step.text}"
    confirmation = {
        "log_in_token": step.json()["log_in_token"],
        "otp": code_for_log_in(inbox, owner.phone),
    }
    entered = scene.http.post("/v1/sessions/otp", json=confirmation)
    assert entered.status_code == 200, f"owner locked out with a code: {entered.text}"
    assert scene.try_once(owner.code, scene.address(), OWN_PASSWORD) == HELD_BACK, "guessing goes on"


def owner_gets_in_on_a_new_device(scene: Scene) -> None:
    """While the guessing goes on, with a code to the e-mail; without it a new device waits."""
    device, code = CitizenClient(scene.crowd.gateway), scene.owner.code
    reset_id = device.ask_reset(code, scene.owner.email)
    otp = scene.crowd.inbox.wait_for_otp(scene.owner.email, purpose="reset_otp")
    device.finish_reset(reset_id, otp, CHOSEN_ANEW)
    assert scene.try_once(code, scene.address(), CHOSEN_ANEW) == HELD_BACK, "guessing goes on"
    body = {"user": code, "password": CHOSEN_ANEW, "device_token": device.device_token}
    answer = scene.post(body, scene.address())
    assert answer.status_code == 200, f"owner locked out after a reset: {answer.text}"


def owner_is_told_once(scene: Scene) -> None:
    scene.crowd.inbox.wait_for_emails(scene.owner.email, "throttled", TOLD_WITHIN_SECONDS)
    time.sleep(3.0)
    told = scene.crowd.inbox.emails(scene.owner.email, "throttled")
    assert len(told) == 1, f"told {len(told)} times"


Story = Callable[[Scene], None]


def tell(the: Scene, stories: Iterable[Story]) -> None:
    for story in stories:
        story(the)


@pytest.mark.proves("F13")
def test_a_thousand_wrong_log_ins_are_held_back_and_the_owner_gets_in_and_is_told_once(
    product: Instance, tmp_path: Path
) -> None:
    with scene(product, tmp_path, IDENTITY, "", TRIES) as the:
        many_accounts_from_one_address(the)
        many_accounts_from_one_network(the)
        one_account_from_one_address(the)
        one_account_from_many_addresses(the)
        owner_gets_in_with_a_password_of_the_hotline(the)
        owner_gets_in_on_a_new_device(the)


@pytest.mark.planted("F13")
@pytest.mark.parametrize(
    ("defect", "stories", "seen"),
    [
        ("no throttle by account", [one_account_from_many_addresses], "many addresses guess at one account"),
        ("no throttle by address", [many_accounts_from_one_address], "one address guesses at many accounts"),
        ("no throttle by address", [many_accounts_from_one_network], "one network guesses at many accounts"),
        ("owner locked out", [one_account_from_many_addresses], "owner locked out"),
        (
            "password of the hotline held back",
            [one_account_from_many_addresses, owner_gets_in_with_a_password_of_the_hotline],
            "owner locked out, called the hotline",
        ),
        ("own password looked at beyond", [one_account_from_many_addresses], "a guess that is right"),
        (
            "device of a reset forgotten",
            [one_account_from_many_addresses, owner_gets_in_on_a_new_device],
            "owner locked out after a reset",
        ),
        ("owner not told", [one_account_from_one_address], "no throttled e-mail"),
        (
            "owner told each time",
            [one_account_from_one_address, one_account_from_many_addresses],
            "told 2 times",
        ),
    ],
)
def test_guesses_that_are_answered_and_an_owner_who_is_kept_out_or_not_told_are_seen(
    product: Instance, tmp_path: Path, defect: str, stories: list[Story], seen: str
) -> None:
    with (
        scene(product, tmp_path, PLANTED, defect, TRIES_PLANTED) as the,
        pytest.raises((AssertionError, NotInTime), match=seen),
    ):
        tell(the, stories)
