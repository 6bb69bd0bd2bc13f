"""The population register, asked by the running service: a register over HTTP, and one that is away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.identity.tests.integration.house import House, new_person
from services.identity.tests.register_server import reply, with_result
from services.identity.tests.unit import samples

pytestmark = pytest.mark.usefixtures("matching_register")


@pytest.mark.proves("G7")
@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("matched", "matched"),
        ("mismatched", "photos_needed"),
        ("not_found", "photos_needed"),
        ("invalid", "photos_needed"),
    ],
)
def test_the_check_tells_matched_or_photos_needed_and_nothing_more(
    house: House, result: str, outcome: str
) -> None:
    house.register.answer = with_result(result, mismatchedFields=["birthDate"])
    assert house.check(samples.submitted(new_person())) == {"outcome": outcome}


def test_every_check_is_on_record_without_the_person(house: House) -> None:
    data = samples.submitted(new_person())
    house.check(data)
    (row,) = house.rows(
        "SELECT * FROM register_checks WHERE registration_id = %(id)s", id=data["registration_id"]
    )
    assert (row["purpose"], row["asker"], row["outcome"]) == ("registration", "registration", "matched")
    assert row["request_id"] == data["register_check"]["request_id"]
    assert row["asked_at"] <= row["answered_at"]
    assert data["document"]["number"] not in repr(row)
    assert house.register.asked[-1]["requestId"] == str(row["request_id"])


def test_while_the_register_drips_its_answer_other_calls_go_on(house: House) -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    house.register.answer = drip
    started = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(house.check, samples.submitted(new_person()))
        time.sleep(0.2)
        house.call("public_keys")
        assert not slow.done()
        assert slow.result() == {"outcome": "unavailable"}
    assert time.monotonic() - started < 3.5  # the drip takes 4 s; ours is 2 s from first to last byte


def test_a_register_that_is_down_is_left_alone_then_probed_and_used_again(house: House) -> None:
    house.register.answer = reply(503, b"{}")
    for _ in range(6):
        assert house.check(samples.submitted(new_person())) == {"outcome": "unavailable"}
    house.register.answer = with_result("matched")
    house.until(
        lambda: house.check(samples.submitted(new_person())) == {"outcome": "matched"}, "never asked again"
    )


def test_a_check_that_had_no_answer_is_made_again_until_there_is_one(house: House, officer: str) -> None:
    house.register.answer = reply(503, b"{}")
    data = house.submit(outcome="unavailable")
    (first,) = house.until_told("identity.checked.v1", data["registration_id"])
    assert first["outcome"] == "unavailable"
    checks = "SELECT FROM register_checks WHERE registration_id = %(id)s"
    house.until(lambda: len(house.rows(checks, id=data["registration_id"])) >= 3, "not asked again")
    house.register.answer = with_result("mismatched", mismatchedFields=["birthDate"])
    told = house.until_told("identity.checked.v1", data["registration_id"], count=2)
    assert [event["outcome"] for event in told] == ["unavailable", "photos_needed"]
    seen = house.call("case", sealed_staff_token=officer, case_id=house.case_of(data))
    assert (seen["register_outcome"], seen["mismatched_fields"]) == ("mismatched", ["birthDate"])
    assert not house.rows("SELECT FROM jobs WHERE key = %(key)s", key=house.case_of(data))
