"""What counts as missing between the services."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from deploy.vssid.gaps import ENDED, KINDS, OPEN, SUCCESS, judge_application, judge_password
from deploy.vssid.mending import MENDS
from deploy.vssid.reconcile import are_photos_known

REGISTRATION, CREDENTIAL, MESSAGE = UUID(int=1), UUID(int=2), UUID(int=3)


def application(status: str, close_requested: str | None = None, is_emptied: bool = False) -> dict:
    held = {"id": REGISTRATION, "status": status, "close_requested": close_requested}
    return {**held, "is_emptied": is_emptied}


def case(status: str, is_asked: bool = False, is_emptied: bool = False) -> dict:
    held = {"registration_id": REGISTRATION, "status": status, "is_asked": is_asked}
    return {**held, "is_emptied": is_emptied}


def found(status: str, held: dict | None, close_requested: str | None = None) -> list[str]:
    return [gap.kind.name for gap in judge_application(application(status, close_requested), held, [])]


@pytest.mark.parametrize(
    ("status", "case_status"),
    [
        ("awaiting_visit", "waiting"),
        ("supplement_requested", "waiting"),
        ("verified", "verified"),
        ("completed", "verified"),
        ("rejected", "rejected"),
        ("expired", "closed"),
        ("cancelled", "closed"),
    ],
)
def test_where_both_agree_nothing_is_missing(status, case_status):
    assert found(status, case(case_status)) == []


@pytest.mark.parametrize("status", sorted(OPEN | SUCCESS | ENDED))
def test_whoever_submitted_has_a_case(status):
    assert found(status, None) == ["case_missing"]


@pytest.mark.parametrize("status", sorted(ENDED))
def test_an_emptied_application_asks_for_no_case_that_was_lost(status):
    assert list(judge_application(application(status, is_emptied=True), None, [])) == []


@pytest.mark.parametrize(
    ("status", "case_status", "missing"),
    [
        ("submitted", "waiting", "opening_unheard"),
        ("submitted", "verified", "ending_unheard"),
        ("awaiting_visit", "rejected", "ending_unheard"),
        ("supplement_requested", "closed", "ending_unheard"),
        ("verified", "waiting", "decision_lost"),
        ("completed", "waiting", "decision_lost"),
        ("cancelled", "waiting", "closing_unheard"),
        ("rejected", "waiting", "closing_unheard"),
        ("rejected", "verified", "contradiction"),
        ("completed", "closed", "contradiction"),
    ],
)
def test_where_one_side_knows_less_that_is_missing(status, case_status, missing):
    assert found(status, case(case_status)) == [missing]


def test_a_request_to_close_that_identity_has_not_heard_is_missing_once():
    assert found("awaiting_visit", case("waiting"), "cancelled") == ["closing_unheard"]
    assert found("awaiting_visit", case("waiting", is_asked=True), "cancelled") == []


def test_every_pair_of_standings_is_judged():
    statuses, case_statuses = OPEN | SUCCESS | ENDED, ("waiting", "verified", "rejected", "closed")
    for status, case_status in product(statuses, case_statuses):
        assert len(found(status, case(case_status))) <= 1


@pytest.mark.parametrize(("state", "missing"), [("delivered", True), ("sent", True), ("failed", False)])
def test_an_application_whose_password_went_out_is_complete(state, missing):
    message = {"id": MESSAGE, "state": state}
    gaps = list(judge_application(application("verified"), case("verified"), [message]))

    assert [(gap.kind.name, gap.key) for gap in gaps] == [("outcome_unheard", MESSAGE)] * missing


def password(state: str = "issued", delivery: str | None = None) -> dict:
    return {"id": CREDENTIAL, "cause": f"{REGISTRATION} 1", "state": state, "delivery": delivery}


def message(state: str, reason: str | None = None) -> dict:
    return {"id": MESSAGE, "credential_id": CREDENTIAL, "state": state, "reason": reason}


@pytest.mark.parametrize(
    ("credential", "missing"),
    [
        (password(), "message_missing"),
        (password(delivery="sent"), "record_lost"),
        (password(delivery="delivered"), "record_lost"),
        (password("ended"), "record_lost"),
    ],
)
def test_a_password_without_a_message_is_missing_unless_it_is_known_to_have_gone_out(credential, missing):
    (gap,) = judge_password(credential, None)

    assert (gap.kind.name, gap.key, gap.belongs_to) == (missing, CREDENTIAL, REGISTRATION)


@pytest.mark.parametrize(
    ("delivery", "held", "is_missing"),
    [
        (None, message("waiting"), False),
        (None, message("unknown", "interrupted"), False),
        (None, message("unknown", "no_answer"), True),
        (None, message("sent"), True),
        ("sent", message("sent"), False),
        ("sent", message("delivered"), True),
        ("sent", message("failed"), True),
        ("delivered", message("failed"), False),
        ("failed", message("delivered"), False),
    ],
)
def test_what_became_of_a_message_is_known_to_identity(delivery, held, is_missing):
    assert bool(list(judge_password(password(delivery=delivery), held))) == is_missing


@pytest.mark.parametrize("status", ["rejected", "closed"])
def test_a_case_loses_what_its_application_has_lost(status):
    emptied = application("cancelled", is_emptied=True)
    for is_emptied, missing in ((False, ["emptying_unheard"]), (True, [])):
        gaps = judge_application(emptied, case(status, is_emptied=is_emptied), [])
        assert [gap.kind.name for gap in gaps] == missing


@pytest.mark.parametrize(
    ("found", "are_known"),
    [
        ({}, True),
        ({"decision_lost": 1, "contradiction": 2, "message_missing": 1}, True),
        ({"application_missing": 1, "decision_lost": 1}, False),
    ],
)
def test_photos_are_known_unless_an_application_is_to_be_taken_back(found, are_known):
    assert are_photos_known({"found": found}) == are_known


def test_every_gap_is_closed_by_the_command_or_by_people():
    assert {kind.name for kind in KINDS.values() if kind.mended} == set(MENDS)
    assert all(kind.mended or kind.people for kind in KINDS.values() if kind.is_gap)
