"""One registration is one trace, from the request to the SMS, across all processes it takes."""

from __future__ import annotations

from shared.testing.collector import Collector, Seen
from shared.testing.processes import until

SUBMISSION = "POST /v1/registrations/<uuid:registration_id>/submission"
THE_WAY = [
    ("gateway", SUBMISSION),
    ("gateway", "call registration.submit"),
    ("registration", "registration.submit"),
    ("registration", "publish registration.submitted.v1"),
    ("identity", "handle registration.submitted.v1"),
    ("registration", "handle identity.checked.v1"),
    ("identity", "publish identity.verified.v1"),
    ("registration", "handle identity.verified.v1"),
    ("identity", "handle identity.verified.v1"),
    ("identity", "job issue_credential"),
    ("notification", "handle credentials.issued.v1"),
    ("notification", "job send_sms"),
    ("notification", "send to smsc"),
    ("notification", "send to mail_server"),
    ("registration", "handle notification.sent.v1"),
]


def of_submission(traces: Collector, registration_id: str) -> list[Seen]:
    """The spans of the trace in which this registration was submitted."""
    spans = traces.spans()
    ids = {
        span.trace_id
        for span in spans
        if span.name == SUBMISSION and span.attributes.get("registration_id") == registration_id
    }
    return [span for span in spans if span.trace_id in ids]


def missing(spans: list[Seen]) -> set[object]:
    """The steps of the way that are not there, and the parents, but for that of the first, that are not."""
    there = {(span.service, span.name) for span in spans}
    parents = {span.parent_id for span in spans if span.name != SUBMISSION}
    return (set(THE_WAY) - there) | (parents - {span.span_id for span in spans})


def whole_trace(traces: Collector, registration_id: str) -> list[Seen]:
    """The spans of a registration that went all the way, once all have arrived."""
    until(
        lambda: not missing(of_submission(traces, registration_id)),
        30.0,
        lambda: f"missing: {missing(of_submission(traces, registration_id))}",
        0.5,
    )
    return of_submission(traces, registration_id)


def test_one_registration_is_one_trace_from_the_request_to_the_sms(
    traces: Collector, client, new_citizen, officer, inbox
) -> None:
    citizen = new_citizen()
    accepted = client.register(citizen, inbox.wait_for_otp)
    officer.confirm(officer.find(accepted.declaration_number)["id"])
    inbox.wait_for_password(citizen.phone)
    client.wait_for("completed")

    spans = whole_trace(traces, accepted.registration_id)
    assert len({span.trace_id for span in spans}) == 1
    assert [span.name for span in spans if span.parent_id == ""] == [SUBMISSION]
    assert [span.name for span in spans if span.failure] == []


def test_traces_hold_nothing_of_a_person(traces: Collector, client, new_citizen, officer, inbox) -> None:
    citizen = new_citizen()
    accepted = client.register(citizen, inbox.wait_for_otp)
    officer.confirm(officer.find(accepted.declaration_number)["id"])
    password = inbox.wait_for_password(citizen.phone)
    client.log_in(citizen.code, password)
    whole_trace(traces, accepted.registration_id)

    everything = b"".join(traces.bodies)
    number = citizen.phone.removeprefix("+84").removeprefix("0")
    for personal in (citizen.full_name, citizen.code, number, citizen.email, password):
        assert personal.encode() not in everything
