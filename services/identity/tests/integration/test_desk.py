"""Officers at the running service: their agency, their decisions, and that all of it is on record."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from services.identity.tests.integration.house import House
from services.identity.tests.integration.steps import confirm, refused
from shared.events import registration as registration_events
from shared.messaging.calls import CallRefused
from shared.sealed_objects import from_text

pytestmark = pytest.mark.usefixtures("matching_register")


def test_an_officer_sees_and_decides_cases_of_the_own_agency_only(house: House, officer: str) -> None:
    agency = "79001"
    house.add_staff("mai", agency)
    mai = house.seal(house.staff_token("mai"))
    kept = house.photos.put(b"a portrait", prefix="photos", max_bytes=99)
    portrait = {"kind": "portrait", "ref": kept.ref, "sha256": kept.sha256}
    data = house.submit(agency_code=agency, outcome="matched", photos=[portrait])
    case_id = house.case_of(data)
    (item,) = house.call("cases", sealed_staff_token=mai, status="waiting", cursor=None, q=None)["items"]
    assert (item["id"], item["register_outcome"]) == (case_id, "matched")
    assert item["full_name"] == "Nguyễn Thị Thử"
    for method, extra in [
        ("case", {}),
        ("photo", {"kind": "portrait"}),
        ("confirm_case", {"papers_checked": True}),
        ("reject_case", {"reason": "because of something"}),
    ]:
        refusal = refused(house, method, sealed_staff_token=officer, case_id=case_id, **extra)
        assert refusal.name == "CaseUnknown"
    told = house.call("photo", sealed_staff_token=mai, case_id=case_id, kind="portrait")
    assert (told["ref"], told["content_type"]) == (kept.ref, "image/jpeg")
    key = from_text(house.gateway.open(told["sealed_key"]))
    assert b"".join(house.photos.chunks(kept.ref, key)) == b"a portrait"
    acts = house.rows("SELECT action FROM audit WHERE case_id = %(id)s", id=case_id)
    assert [act["action"] for act in acts] == ["photo_read"]


@pytest.mark.parametrize("method", ["cases", "case", "photo", "confirm_case", "reject_case"])
def test_nothing_at_the_desk_opens_without_a_token_of_an_officer(
    house: House, officer: str, method: str
) -> None:
    case_id = house.case_of(house.submit())
    extra = {
        "cases": {},
        "case": {"case_id": case_id},
        "photo": {"case_id": case_id, "kind": "portrait"},
        "confirm_case": {"case_id": case_id, "papers_checked": True},
        "reject_case": {"case_id": case_id, "reason": "because of something"},
    }[method]
    assert refused(house, method, sealed_staff_token=house.seal("made up"), **extra).name == "TokenInvalid"
    assert refused(house, method, sealed_staff_token="not sealed", **extra).name == "RequestInvalid"
    assert refused(house, method, **extra).problems[0].field == "sealed_staff_token"


def test_a_wrong_officer_and_a_wrong_password_are_refused_alike(house: House, officer: str) -> None:
    refusals = [
        refused(house, "staff_log_in", user=user, sealed_password=house.seal("wrong"), client=None)
        for user in ("lan", "nobody")
    ]
    assert [r.name for r in refusals] == ["LogInFailed", "LogInFailed"]
    assert refusals[0].vi == refusals[1].vi


def test_confirming_needs_the_papers_and_rejecting_a_reason(house: House, officer: str) -> None:
    case_id = house.case_of(house.submit())
    refusal = refused(house, "confirm_case", sealed_staff_token=officer, case_id=case_id)
    assert refusal.name == "PapersNotChecked"
    refusal = refused(house, "reject_case", sealed_staff_token=officer, case_id=case_id, reason="no")
    assert (refusal.name, refusal.problems[0].field) == ("ReasonMissing", "reason")


def test_whoever_comes_at_once_the_case_ends_once(house: House, officer: str) -> None:
    data = house.submit(outcome="matched")
    case_id = house.case_of(data)
    close = registration_events.CLOSE_REQUESTED.event(
        subject=data["registration_id"],
        correlation_id=data["registration_id"],
        at=datetime.now(UTC),
        data={"registration_id": data["registration_id"], "reason": "cancelled"},
    )
    start = threading.Barrier(17)

    def at_once(act: Any) -> str:
        start.wait()
        try:
            return str(act()["status"])
        except CallRefused as refusal:
            if refusal.name != "CaseAlreadyEnded":
                raise
            return str(refusal.details["status"])

    def reject() -> Any:
        return house.call(
            "reject_case", sealed_staff_token=officer, case_id=case_id, reason="because of something"
        )

    with ThreadPoolExecutor(17) as threads:
        acts = [lambda: confirm(house, officer, case_id), reject] * 8
        answers = [threads.submit(at_once, act) for act in acts]
        start.wait()
        house.exchange.publish(close)
        (ending,) = {answer.result() for answer in answers}
    asked = "SELECT FROM close_requests WHERE registration_id = %(id)s"
    house.until(lambda: house.rows(asked, id=data["registration_id"]), "the request to close was not handled")
    (row,) = house.rows("SELECT status FROM cases WHERE id = %(id)s", id=case_id)
    assert row["status"] == ending
    endings = {
        kind: len(house.told(f"identity.{kind}.v1", data["registration_id"]))
        for kind in ("verified", "rejected", "closed")
    }
    assert endings == {"verified": 0, "rejected": 0, "closed": 0} | {ending: 1}


def test_every_call_of_an_officer_leaves_a_row_even_when_it_changes_nothing(
    house: House, officer: str
) -> None:
    case_id = house.case_of(house.submit())
    for _ in range(2):  # two requests, not one that is repeated under its key
        house.call("confirm_case", sealed_staff_token=officer, case_id=case_id, papers_checked=True)
    acts = house.rows("SELECT action FROM audit WHERE case_id = %(id)s ORDER BY id", id=case_id)
    assert [act["action"] for act in acts] == ["case_confirmed", "called_without_effect"]


def test_what_an_officer_did_is_sealed_and_anchored(house: House, officer: str) -> None:
    case_id = house.case_of(house.submit())
    house.call("case", sealed_staff_token=officer, case_id=case_id)
    sealed = """
        SELECT s.hash FROM audit a JOIN audit_seals s ON a.id = ANY(s.ids) WHERE a.case_id = %(id)s
    """
    house.until(  # a kill in a test before may have left the job under its lease of a minute
        lambda: house.rows(sealed, id=case_id), "it was not sealed", within_seconds=90
    )
    (seal,) = house.rows(sealed, id=case_id)
    anchors = house.anchors_dir / "anchors.jsonl"
    house.until(lambda: anchors.exists() and seal["hash"] in anchors.read_text(), "it was not anchored")
    house.until(lambda: seal["hash"] in house.process.log.read_text(), "its anchor is not in the log")
