"""What comes of an application at the running service, and its timeline."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from services.registration.tests.integration.office import Applicant, Office
from services.registration.tests.integration.steps import CLOSE_REQUESTED, person, refusal_of, whole
from shared.events import credentials, identity, notification
from shared.messaging.calls import CallRefused
from shared.testing.processes import until

pytestmark = pytest.mark.usefixtures("matching_register")


def test_the_news_of_the_case_and_the_messages_complete_an_application(office: Office) -> None:
    lan = whole(office)
    lan.submit()
    at, ids, credential_id = datetime.now(UTC), iter(uuid.uuid4, None), uuid.uuid4()
    office.tell(identity.CHECKED, lan.id, times=3, outcome="matched", at=at)
    lan.until_status("awaiting_visit")
    office.tell(
        identity.VERIFIED, lan.id, times=3, person_id=next(ids), code="1000000000", method="desk", at=at
    )
    lan.until_status("verified")
    office.tell(
        credentials.ISSUED,
        lan.id,
        times=3,
        credential_id=credential_id,
        account_id=next(ids),
        code="1000000000",
        reason="registration",
        channels=[],
        sealed_secret="x",
        valid_until=at + timedelta(days=1),
        language="vi",
    )
    message = {
        "message_id": next(ids),
        "cause_event_id": next(ids),
        "credential_id": credential_id,
        "at": at,
    }
    office.tell(notification.SENT, lan.id, purpose="instructions", channel="email", **message)
    office.tell(notification.SENT, lan.id, times=3, purpose="password", channel="sms", **message)
    lan.until_status("completed")
    assert lan.steps() == [
        "submitted",
        "awaiting_visit",
        "verified",
        "credentials_issued",
        "credentials_sent",
    ]
    assert lan.call("timeline")["version"] == 5


def test_a_link_is_next_until_it_ends_and_no_more_once_a_call_to_the_hotline_has_voided_it(
    office: Office,
) -> None:
    lan = whole(office)
    lan.submit()
    at, account_id, link_id, spoken_id = datetime.now(UTC), *sorted(uuid.uuid4() for _ in range(3))
    about = {"account_id": account_id, "credential_id": link_id}
    ends = at + timedelta(days=3)
    office.tell(
        credentials.LINK_ISSUED,
        lan.id,
        email="lan@example.org",
        sealed_secret="x",
        valid_until=ends,
        language="vi",
        **about,
    )
    office.tell(
        notification.SENT,
        lan.id,
        message_id=uuid.uuid4(),
        cause_event_id=uuid.uuid4(),
        credential_id=link_id,
        purpose=notification.ACTIVATION_LINK,
        channel="email",
        at=at,
    )
    lan.until_status("completed")
    until(lambda: lan.next_until() == ("activate", ends), 20, lambda: f"no: {lan.call('timeline')}")
    about["credential_id"], ends = spoken_id, at + timedelta(days=1)
    office.tell(credentials.REISSUED, lan.id, times=3, valid_until=ends, at=at, **about)
    until(lambda: lan.next_until() == ("log_in", ends), 20, lambda: f"no: {lan.call('timeline')}")
    assert lan.steps()[-3:] == ["credentials_link_issued", "credentials_link_sent", "credentials_reissued"]
    about["credential_id"], ends = uuid.UUID(int=2**128 - 1), at + timedelta(days=2)
    office.tell(credentials.FOLLOWED, lan.id, step="handed_over", at=at, valid_until=ends, **about)
    until(lambda: lan.next_until() == ("log_in", ends), 20, lambda: f"no: {lan.call('timeline')}")


def test_a_rejection_frees_phone_and_code(office: Office) -> None:
    mine = person()
    lan = whole(office, **mine)
    lan.submit()
    ending = {"phone": "+84912345678", "email": "lan@example.org", "language": "vi"}
    office.tell(identity.REJECTED, lan.id, reason="Giấy tờ không khớp", **ending)
    lan.until_status("rejected")
    assert lan.call("timeline")["entries"][-1]["detail"] == "Giấy tờ không khớp"
    assert whole(office, **mine).submit()["status"] == "submitted"


def test_a_cancelled_application_asks_its_case_and_is_closed_by_it(office: Office) -> None:
    lan = whole(office)
    lan.submit()
    with ThreadPoolExecutor(5) as threads:
        views = list(threads.map(lambda _: lan.call("cancel"), range(5)))
    assert {view["status"] for view in views} == {"submitted"}
    assert [e["reason"] for e in office.until_told(CLOSE_REQUESTED, lan.id)] == ["cancelled"]
    ending = {"phone": "+84912345678", "email": "lan@example.org", "language": "vi"}
    office.tell(identity.CLOSED, lan.id, reason="cancelled", **ending)
    lan.until_status("cancelled")
    draft = office.start()
    assert draft.call("cancel")["status"] == "cancelled"
    assert refusal_of(draft.declare).details == {"status": "cancelled"}


@pytest.mark.proves("G11")
def test_a_deadline_and_a_reminder_fall_due(office: Office) -> None:
    lan = whole(office)
    deadline = datetime.fromisoformat(lan.submit()["deadline"])
    sql = "SELECT kind, due_at FROM jobs WHERE starts_with(key, %(id)s) ORDER BY due_at"
    due = [(row["kind"], (deadline - row["due_at"]).days) for row in office.rows(sql, id=lan.id)]
    assert due == [("remind", 7), ("remind", 1), ("pass_deadline", 0)]
    with office.transaction() as tx:
        tx.run("UPDATE jobs SET due_at = now() WHERE key = %(key)s", {"key": f"{lan.id} 7"})
    (reminder,) = office.until_told("registration.reminder_due.v1", lan.id)
    assert reminder["agency"]["code"] == "S001"
    with office.transaction() as tx:
        tx.run("UPDATE jobs SET due_at = now() WHERE key = %(key)s", {"key": lan.id})
    (event,) = office.until_told(CLOSE_REQUESTED, lan.id)
    assert event["reason"] == "deadline_passed"
    assert lan.steps() == ["submitted", "reminded", "deadline_passed"]


def test_who_knows_the_timeline_hears_that_it_is_unchanged(office: Office) -> None:
    lan, mai = whole(office), whole(office)
    lan.submit()
    known = [lan.call("timeline")["tag"]]
    assert lan.call("timeline", known_tags=known) == {"tag": known[0], "unchanged": True}
    assert not mai.call("timeline", known_tags=known)["unchanged"]
    lan.call("cancel")
    assert not lan.call("timeline", known_tags=known)["unchanged"]
    for nonsense in (None, "x", 7, [None, {}]):
        assert lan.call("timeline", known_tags=nonsense)["entries"]


def test_timelines_asked_for_at_once_are_each_answered_by_their_own_key(office: Office) -> None:
    lan, mai = whole(office), office.start()
    stranger = Applicant(office, lan.id, "not the token")

    def outcome(applicant: Applicant) -> str:
        try:
            return applicant.call("timeline")["status"] + applicant.id
        except CallRefused as refusal:
            return refusal.name

    with ThreadPoolExecutor(30) as threads:
        outcomes = list(threads.map(outcome, [lan, mai, stranger] * 10))
    assert outcomes == [f"draft{lan.id}", f"draft{mai.id}", "RegistrationUnknown"] * 10
