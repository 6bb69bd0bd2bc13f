"""Events over AMQP: equal to the CloudEvents SDK's, and nothing malformed gets in."""

from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from cloudevents.core.bindings import rabbitmq
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from shared.events import account, catalogue, identity, registration
from shared.events.envelope import CONTENT_TYPE, LARGEST_BODY_BYTES, Event, EventInvalid, from_amqp, to_amqp

NOW = datetime(2026, 3, 2, 8, 30, 0, 120, tzinfo=UTC)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CANARY = "Canary Nguyễn 0912345678"


def verified(**changes: Any) -> Event:
    registration_id = uuid4()
    data = {
        "registration_id": registration_id,
        "person_id": uuid4(),
        "code": "7912345678",
        "method": "desk",
        "at": NOW,
    }
    return identity.VERIFIED.event(
        subject=registration_id, correlation_id=registration_id, at=NOW, data={**data, **changes}
    )


def rejected(reason: str) -> Event:
    data = {
        "registration_id": uuid4(),
        "reason": reason,
        "phone": "+84912345678",
        "email": "canary@vssid.example",
        "language": "vi",
    }
    return identity.REJECTED.event(subject=uuid4(), correlation_id=uuid4(), at=NOW, data=data)


def by_the_sdk(event: Event, **more: str) -> rabbitmq.RabbitMQMessage:
    """The same event, written by the SDK alone."""
    attributes = {
        "specversion": "1.0",
        "id": str(event.id),
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "dataschema": f"https://vssid.example/events/{event.type}",
        "correlationid": event.correlation_id,
        **more,
    }
    data = {
        key: value.isoformat() if isinstance(value, datetime) else str(value)
        for key, value in event.data.items()
    }
    return rabbitmq.to_binary_event(CloudEvent(attributes, data))


def test_what_we_write_is_what_the_sdk_writes():
    event = verified()
    message = by_the_sdk(event)
    assert to_amqp(event) == (message.headers, message.body)
    assert message.content_type == CONTENT_TYPE


def test_the_sdk_alone_reads_what_we_write():
    event = Event(**{**vars(verified()), "traceparent": TRACEPARENT})
    headers, body = to_amqp(event)
    read = rabbitmq.from_rabbitmq_event(rabbitmq.RabbitMQMessage(headers, CONTENT_TYPE, body))
    assert (read.get_id(), read.get_type(), read.get_source()) == (str(event.id), event.type, event.source)
    assert (read.get_time(), read.get_subject()) == (event.time, event.subject)
    assert read.get_extension("correlationid") == event.correlation_id
    assert read.get_extension("traceparent") == TRACEPARENT
    assert identity.VERIFIED.schema.load(read.get_data()) == event.data


def test_we_read_what_the_sdk_writes():
    event = Event(**{**vars(verified()), "traceparent": TRACEPARENT})
    message = by_the_sdk(event, traceparent=TRACEPARENT, futureextension="1")
    assert from_amqp(message.headers | {"content-type": message.content_type}, message.body) == event


def test_unknown_fields_are_ignored_at_every_depth_and_absent_optional_ones_are_none():
    headers, body = to_amqp(rejected("r"))
    data = json.loads(body) | {"new_in_a_later_release": {"a": [1]}}
    assert "new_in_a_later_release" not in from_amqp(headers, json.dumps(data)).data
    issued = {
        "account_id": str(uuid4()),
        "kind": "reissued",
        "language": "vi",
        "channels": [{"kind": "sms", "to": "+84900000001", "newer": True}],
    }
    assert account.NOTICE_DUE.schema.load(issued)["channels"] == [{"kind": "sms", "to": "+84900000001"}]
    supplemented = {"registration_id": str(uuid4()), "photos": []}
    assert registration.SUPPLEMENTED.schema.load(supplemented)["note"] is None


def test_a_time_of_any_offset_is_read_in_utc():
    at = NOW.astimezone(timezone(timedelta(hours=7)))
    event = verified(at=at)
    assert event.data["at"] == NOW
    assert event.data["at"].tzinfo is UTC


def test_no_header_holds_what_the_data_holds():
    headers, _ = to_amqp(rejected(CANARY))
    assert not any(
        part in value for value in headers.values() for part in ("Canary", "0912345678", "canary@")
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"code": 7912345678},
        {"code": ""},
        {"code": None},
        {"method": "guess"},
        {"at": NOW.replace(tzinfo=None)},
        {"at": None},
        {"person_id": "7"},
        {"person_id": 7},
        {"persn_id": "typing error"},
    ],
)
def test_an_event_that_does_not_fit_is_not_made(changes):
    with pytest.raises(ValidationError):
        verified(**changes)


@pytest.mark.parametrize("items", [7, "ab", {}, None, [7], object])
def test_a_list_that_is_none_is_not_made_into_an_event(items):
    data = {"registration_id": uuid4(), "phone": "+84900000001", "email": "a@b.example", "language": "vi"}
    for wrong in (data, data | {"items": items}):
        with pytest.raises(ValidationError, match="items"):
            identity.SUPPLEMENT_REQUESTED.event(subject="a", correlation_id="a", at=NOW, data=wrong)


# --- what is refused -----------------------------------------------------------------------------


def refusal(headers: Any, body: Any) -> str:
    with pytest.raises(EventInvalid) as caught:
        from_amqp(headers, body)
    assert CANARY not in caught.value.reason + repr(caught.value)
    assert caught.value.__context__ is None  # json's and marshmallow's errors hold the data
    return caught.value.reason


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        pickle.dumps({"a": CANARY}),
        b"!!python/object/apply:os.system ['id']",
        b"{",
        b"NaN",
        b'{"at": Infinity}',
        b"1" * 5000,
        b'{"a": 1} {"b": 2}',
    ],
)
def test_a_body_that_is_not_json_is_refused(body):
    headers, _ = to_amqp(verified())
    assert refusal(headers, body) == "body is not JSON"


@pytest.mark.parametrize(
    "body", [b"[" * 10_000, b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 40 + b"1" + b"}" * 40]
)
def test_a_body_nested_too_deep_is_refused(body):
    headers, _ = to_amqp(verified())
    assert refusal(headers, body) in ("body is nested too deep", "body is not JSON")
    assert refusal(headers, b'{"a":' * 33 + b"1" + b"}" * 33) == "body is nested too deep"
    assert refusal(headers, b'{"a":' * 32 + b"1" + b"}" * 32).startswith("does not fit the schema")


def test_a_body_over_one_mebibyte_is_refused_and_one_of_it_is_read():
    headers, body = to_amqp(verified())
    filled = body[:-1] + b', "more": "' + b"x" * (LARGEST_BODY_BYTES - len(body) - 12) + b'"}'
    assert from_amqp(headers, filled)
    assert refusal(headers, filled + b" " * 2) == "body is larger than 64 KiB"


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject", "time", "correlationid"])
@pytest.mark.parametrize("value", [None, "", 7, b"1.0", ["1.0"], CANARY * 20, "a\nb", "\0"])
def test_a_missing_or_malformed_attribute_is_refused_by_name(name, value):
    headers, body = to_amqp(verified())
    assert refusal(headers | {f"ce-{name}": value}, body) == f"ce-{name} is missing or malformed"
    assert refusal({k: v for k, v in headers.items() if k != f"ce-{name}"}, body).startswith(f"ce-{name} ")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("specversion", "0.3", "ce-specversion is not 1.0"),
        ("type", "identity.verified.v9", "unknown type"),
        ("source", "/vssid/registration", "ce-source is not the publisher of this type"),
        ("id", "1", "ce-id is not a UUID"),
        ("time", "yesterday", "ce-time is not a time with an offset"),
        ("time", "2026-03-02T08:30:00", "ce-time is not a time with an offset"),
        ("time", "0001-01-01T00:00:00+14:00", "ce-time is not a time with an offset"),
    ],
)
def test_an_attribute_of_another_world_is_refused(name, value, reason):
    headers, body = to_amqp(verified())
    assert refusal(headers | {f"ce-{name}": value}, body) == reason


@pytest.mark.parametrize(
    "content_type", [None, "", "application/x-python-serialize", "application/cloudevents+json"]
)
def test_another_content_type_is_refused(content_type):
    headers, body = to_amqp(verified())
    assert refusal(headers | {"content-type": content_type}, body) == "content type is not application/json"


@pytest.mark.parametrize("value", ["\ud800", "a\0b", 5, None, ["x"], {"a": CANARY}, "x" * 13, True])
def test_data_that_does_not_fit_is_refused_by_the_name_of_the_field_alone(value):
    headers, body = to_amqp(verified())
    assert (
        refusal(headers, json.dumps(json.loads(body) | {"code": value})) == "does not fit the schema at code"
    )


def test_a_fault_deep_in_the_data_is_named_by_its_path():
    headers, body = to_amqp(
        account.NOTICE_DUE.event(
            subject="a",
            correlation_id="a",
            at=NOW,
            data={
                "account_id": uuid4(),
                "kind": "reissued",
                "channels": [{"kind": "sms", "to": "1"}],
                "language": "vi",
            },
        )
    )
    data = json.loads(body) | {"channels": [{"kind": "pigeon", "to": CANARY}]}
    assert refusal(headers, json.dumps(data)) == "does not fit the schema at channels.0.kind"


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"7"])
def test_data_that_is_no_object_is_refused(body):
    assert refusal(to_amqp(verified())[0], body).startswith("does not fit the schema")


@pytest.mark.parametrize("value", ["", "00-xyz", 7, None, TRACEPARENT + "\n"])
def test_a_malformed_trace_context_starts_afresh(value):
    headers, body = to_amqp(verified())
    assert from_amqp(headers | {"ce-traceparent": value}, body).traceparent is None


# --- fuzzing -------------------------------------------------------------------------------------


def event_or_reason(headers: Any, body: Any) -> Event | str:
    try:
        return from_amqp(headers, body)
    except EventInvalid as refused:
        return refused.reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
header_values = st.none() | st.text() | st.binary() | st.integers() | st.datetimes() | st.lists(st.text())
types = st.sampled_from(catalogue.EVENT_TYPES)


@given(
    types,
    st.dictionaries(
        st.sampled_from(
            [
                "ce-id",
                "ce-time",
                "ce-subject",
                "ce-type",
                "ce-source",
                "ce-specversion",
                "ce-correlationid",
                "ce-traceparent",
                "other",
            ]
        ),
        header_values,
    ),
    st.binary() | json_values.map(json.dumps),
)
def test_whatever_arrives_is_an_event_or_refused(event_type, changes, body):
    headers, _ = to_amqp(verified())
    headers |= {"ce-type": event_type.name, "ce-source": event_type.source} | changes
    read = event_or_reason(headers, body)
    assert isinstance(read, Event) or read.isprintable()


@given(types, st.data())
def test_data_of_the_right_fields_and_any_values_is_loaded_or_refused(event_type, data):
    values = {
        name: data.draw(json_values | st.text() | st.datetimes().map(str))
        for name in event_type.schema.fields
    }
    headers, _ = to_amqp(verified())
    headers |= {"ce-type": event_type.name, "ce-source": event_type.source}
    read = event_or_reason(headers, json.dumps(values))
    if isinstance(read, Event):
        assert from_amqp(*to_amqp(read)) == read
    else:
        assert re.match("does not fit the schema at [a-z_0-9., ]+$|body is ", read)


@given(st.text(min_size=1, max_size=2000).filter(lambda text: "\0" not in text))
def test_every_text_survives_the_journey(reason):
    event = rejected(reason)
    assert from_amqp(*to_amqp(event)) == event
