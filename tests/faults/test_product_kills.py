"""F1 at the whole product: each of its processes killed again and again while citizens are on their way."""

from __future__ import annotations

import os
import random
import time

import httpx
import psycopg
import pytest

from deploy.native.instance import Instance
from deploy.native.layout import SERVICES
from shared.testing.processes import until
from tests.faults.crowd import Crowd, new_seed
from tests.faults.sms import smsc, submit_sms

KILLED = (*SERVICES, "gateway")
KILLS = int(os.environ.get("KILLS", "20"))
PAUSE_SECONDS = (0.2, 1.5)
AT_ONCE = 16
SMSC_SECONDS = 0.5
"""So slowly the SMSC answers that hardly a kill finds no SMS under way."""
SMALLEST_CROWD, LARGEST_CROWD = 24, 200
FINAL_WITHIN_SECONDS = 60.0


def kill_in_turn(product: Instance, rng: random.Random) -> None:
    """``KILLS`` times signal 9, each process as often, in any order; only one that works is worth killing."""
    order = [KILLED[number % len(KILLED)] for number in range(KILLS)]
    rng.shuffle(order)
    ops: dict[str, str] = product.endpoints()["ops"]  # type: ignore[assignment]
    for name in order:
        time.sleep(rng.uniform(*PAUSE_SECONDS))
        wait_ready(name, ops[name])
        product.kill(name)
    for name in KILLED:
        wait_ready(name, ops[name])


def wait_ready(name: str, url: str) -> None:
    """Wait until a process says that it is ready for work."""

    def is_ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    until(is_ready, 60.0, f"{name} does not come back", pause_seconds=0.1)


@pytest.mark.proves("F1")
def test_a_crowd_gets_through_while_every_process_is_killed(product: Instance) -> None:
    seed = new_seed()
    crowd = Crowd(product, LARGEST_CROWD, seed)
    slow_smsc = smsc(product, delay_seconds=SMSC_SECONDS)
    with slow_smsc, crowd.on_the_way(AT_ONCE, SMALLEST_CROWD):
        kill_in_turn(product, random.Random(seed))
        up_again = time.monotonic()
    arrived = time.monotonic()
    report = crowd.ledger.wait_until_final(FINAL_WITHIN_SECONDS)
    print(
        f"{len(crowd.journeys)} citizens; all arrived {arrived - up_again:.1f} s after all was up again, "
        f"all final {time.monotonic() - arrived:.1f} s later; e-mails of unknown fate: {len(report.unknown)}"
    )
    assert report.is_clean, str(report)
    assert [journey.problem for journey in crowd.journeys if not journey.is_through] == []


@pytest.mark.planted("F1")
def test_a_lost_case_and_an_sms_sent_twice_are_seen(product: Instance) -> None:
    crowd = Crowd(product, 2, new_seed())
    robbed, pestered = [crowd.travel(number) for number in range(2)]
    report = crowd.ledger.wait_until_final()
    assert (report.is_clean, report.sms_received) == (True, 2), str(report)

    with psycopg.connect(product.endpoints()["databases"]["identity"]) as identity:  # type: ignore[index]
        identity.execute("DELETE FROM cases WHERE registration_id = %s", [robbed.registration_id])
    (sms,) = crowd.inbox.sms(pestered.citizen.phone)
    submit_sms(product, sms["to"], sms["text"])

    report = crowd.ledger.check()
    assert report.lost == [f"{robbed.registration_id}: no case"]
    assert f"{pestered.registration_id}: the same SMS 2 times" in report.duplicates
    assert report.unasked == []
