"""The visit: a case waits at the desk until its deadline, reminders come before it, and it ends once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from deploy.native.instance import Instance
from shared.testing.client import ProblemSeen
from shared.testing.processes import until

FALL_DUE = "UPDATE jobs SET due_at = now() WHERE kind = %(kind)s AND key = %(key)s"
CLAIMS = "SELECT 1 FROM claimed WHERE registration_id = %(id)s"
ENDED = ("completed", "rejected", "expired", "cancelled")


def fall_due(product: Instance, kind: str, key: str) -> None:
    """Let the time of a job have come."""
    with psycopg.connect(product.endpoints()["databases"]["registration"]) as registration:
        assert registration.execute(FALL_DUE, {"kind": kind, "key": key}).rowcount == 1


def holds_claims(product: Instance, registration_id: str) -> bool:
    with psycopg.connect(product.endpoints()["databases"]["registration"]) as registration:
        return registration.execute(CLAIMS, {"id": registration_id}).fetchone() is not None


def steps(timeline) -> list[str]:
    return [entry["step"] for entry in timeline["entries"]]


@pytest.mark.proves("G11")
def test_a_case_waits_until_its_deadline_is_reminded_of_twice_and_expires(
    product, new_client, new_citizen, officer, inbox
):
    citizen, client = new_citizen(), new_client()
    accepted = client.register(citizen, inbox.wait_for_otp)
    waiting = client.wait_for("awaiting_visit")
    assert (waiting["next"]["step"], waiting["next"]["until"]) == ("visit", accepted.deadline)
    assert waiting["next"]["agency"].startswith("(")
    case = officer.find(accepted.declaration_number)
    assert case["deadline"] == accepted.deadline

    for reminders, days in enumerate((7, 1), start=1):
        fall_due(product, "remind", f"{accepted.registration_id} {days}")
        until(
            lambda count=reminders: (
                len(inbox.sms(citizen.phone)) == len(inbox.emails(citizen.email, "reminder")) == count
            ),
            60,
            "no reminder by SMS and e-mail",
        )
    assert "Dong Da" in inbox.sms(citizen.phone)[0]["text"]
    assert steps(client.timeline())[-2:] == ["reminded", "reminded"]
    assert officer.case(case["id"])["status"] == "waiting"

    fall_due(product, "pass_deadline", accepted.registration_id)
    expired = client.wait_for("expired")
    assert steps(expired)[-2:] == ["deadline_passed", "expired"]
    assert expired["next"]["step"] == "start_again"
    inbox.wait_for_emails(citizen.email, "closed")
    assert officer.case(case["id"])["status"] == "closed"
    with pytest.raises(ProblemSeen) as refused:
        officer.confirm(case["id"])
    assert refused.value.name == "case-already-ended"
    assert new_client().register(citizen, inbox.wait_for_otp).registration_id != accepted.registration_id


@pytest.mark.proves("G11")
def test_after_the_visit_nobody_is_reminded_and_nothing_expires(
    product, client, new_citizen, officer, inbox, ledger
):
    citizen = new_citizen()
    accepted = client.register(citizen, inbox.wait_for_otp)
    ledger.accepted(
        accepted.registration_id,
        accepted.declaration_number,
        code=citizen.code,
        phone=citizen.phone,
        email=citizen.email,
    )
    case = officer.find(accepted.declaration_number)
    ledger.decided(accepted.registration_id, officer.confirm(case["id"])["status"])
    before = client.wait_for("completed")
    for kind, key in (
        ("remind", f"{accepted.registration_id} 1"),
        ("pass_deadline", accepted.registration_id),
    ):
        fall_due(product, kind, key)
    until(lambda: not waits(product, accepted.registration_id), 60, "the deadline did not come")

    report = ledger.wait_until_final()
    assert report.is_clean, str(report)
    assert not inbox.emails(citizen.email, "reminder")
    assert client.timeline()["status"] == "completed"
    assert not {"reminded", "deadline_passed"} & set(steps(client.timeline()))
    assert steps(before)[: len(steps(before))] == steps(client.timeline())[: len(steps(before))]


def waits(product: Instance, registration_id: str) -> bool:
    sql = "SELECT 1 FROM jobs WHERE kind = 'pass_deadline' AND key = %(key)s"
    with psycopg.connect(product.endpoints()["databases"]["registration"]) as registration:
        return registration.execute(sql, {"key": registration_id}).fetchone() is not None


@pytest.mark.proves("G11")
def test_cancelling_the_deadline_and_the_officer_at_once_are_one_ending(
    product, new_client, new_citizen, officer, inbox
):
    """Four at once want to end each of six cases; one of them does, and everybody is told the same."""
    races = []
    for _ in range(6):
        citizen, client = new_citizen(), new_client()
        accepted = client.register(citizen, inbox.wait_for_otp)
        races.append((citizen, client, accepted, officer.find(accepted.declaration_number)))

    for _, client, accepted, case in races:
        all_at_once(
            partial(officer.confirm, case["id"]),
            partial(officer.reject, case["id"], "Giấy tờ không khớp"),
            client.cancel,
            partial(fall_due, product, "pass_deadline", accepted.registration_id),
        )
    for citizen, client, accepted, case in races:
        ended = client.wait_for(*ENDED)
        decided = officer.case(case["id"])["status"]
        assert (
            decided
            in {
                "completed": ("verified",),
                "rejected": ("rejected",),
                "expired": ("closed",),
                "cancelled": ("closed",),
            }[ended["status"]]
        )
        endings = [step for step in steps(ended) if step in ("verified", "rejected", "expired", "cancelled")]
        assert len(endings) == 1
        assert holds_claims(product, accepted.registration_id) == (decided == "verified")
        told = inbox.emails(citizen.email, "rejected") + inbox.emails(citizen.email, "closed")
        if decided == "verified":
            assert (len(inbox.sms(citizen.phone)), told) == (1, [])
        else:
            until(lambda c=citizen: one_ending_told(inbox, c), 60, "the citizen was not told once")


def all_at_once(*acts: Callable[[], object]) -> None:
    """Each may be told that the case has ended, and nothing else."""
    start = threading.Barrier(len(acts))

    def act(do: Callable[[], object]) -> None:
        start.wait()
        try:
            do()
        except ProblemSeen as refused:
            if refused.name != "case-already-ended":
                raise

    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(act, acts))


def one_ending_told(inbox, citizen) -> bool:
    told = inbox.emails(citizen.email, "rejected") + inbox.emails(citizen.email, "closed")
    return len(told) == len(inbox.sms(citizen.phone)) == 1
