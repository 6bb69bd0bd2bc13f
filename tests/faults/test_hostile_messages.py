"""F18: messages made to run code, to fill the memory or to end the process: put aside, and nothing runs."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amqp
import pytest

from shared.events.envelope import REGISTRY, to_amqp
from shared.messaging import dead_letters, topology
from shared.messaging.connection import channel, message
from shared.messaging.listener import ATTEMPT
from shared.testing.processes import until
from shared.testing.stage import Stage
from tests.faults.conftest import StageMaker

LARGE_BYTES = 10 * 1024 * 1024
LARGE_ONES = 8
"""That many large messages arrive at once: more than the memory that is allowed."""
ALLOWED_MEMORY_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True)
class Hostile:
    """A message: its body, and what else it says of itself."""

    body: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)


class Forged(amqp.Message):
    """A message whose properties, as they are sent, hold something else in the place of ``marked``."""

    marked = forged = b""

    def _serialize_properties(self) -> bytes:
        properties: bytes = super()._serialize_properties()
        return properties.replace(self.marked, self.forged)


@dataclass(frozen=True)
class Unreadable:
    """A header that no AMQP library of Python's can read: ``forged`` in the place of the text ``marked``."""

    marked: bytes
    forged: bytes


def after_the_year_9999() -> Unreadable:
    """A time that is none."""
    return Unreadable(b"time", b"T" + struct.pack(">Q", 1 << 62))


def tables_in_tables(levels: int) -> Unreadable:
    """A header that holds a table, that holds a table, and so on."""
    content = b""
    for _ in range(levels):
        content = b"\x01nF" + struct.pack(">I", len(content)) + content
    return Unreadable(content, b"F" + struct.pack(">I", len(content)) + content)


class Exploit:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self._mark}'",)


def hostile_messages(mark: Path) -> list[Hostile]:
    """Nothing of this may run, and a run of it would make the file ``mark``."""
    exploit = pickle.dumps(Exploit(mark))
    yaml = f"!!python/object/apply:os.system ['touch \"{mark}\"']".encode()
    large = b'{"item": "' + b"x" * LARGE_BYTES + b'"}'
    return [
        Hostile(exploit, {"content_type": "application/x-python-serialize", "content_encoding": "binary"}),
        Hostile(exploit),
        Hostile(yaml, {"content_type": "application/x-yaml"}),
        Hostile(yaml),
        Hostile(b"[" * 10_000 + b"]" * 10_000),
        Hostile(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        Hostile(b'{"item": "hostile text"}', {"content_type": "text/plain"}),
        Hostile(random.Random(1).randbytes(50_000)),
        Hostile(b""),
        Hostile(b"+2AA-", {"content_encoding": "utf-7"}),
        Hostile(b"x" * 50_000, {"content_encoding": "punycode"}),
        Hostile(b"1" * 60_000),
        Hostile(b"{}", headers={b"\xff\xfe": "a name that is no text"}),
        Hostile(b"{}", headers={f"x-{number}": "y" * 250 for number in range(480)}),
        Hostile(b"{}", headers={"ce-subject": "y" * 100_000}),
        Hostile(b"[]", headers={"x-deadline": "soon", "traceparent": {"not": ["a", "string"]}, "x-n": None}),
        *[Hostile(large)] * LARGE_ONES,
    ]


def publish(stage: Stage, exchange: str, routing_key: str, hostile: list[Hostile], **more: Any) -> None:
    """Publish them with the headers of a good event, unless they say otherwise."""
    with channel(stage.vhost.amqp_url) as publishing:
        for one in hostile:
            accepted = REGISTRY["first.accepted.v1"]
            now = datetime.now(UTC)
            event = accepted.event(subject="x", correlation_id="x", at=now, data={"item": "hostile"})
            properties = {"content_type": "application/json", "delivery_mode": 2, **more, **one.properties}
            properties["application_headers"] = {**to_amqp(event)[0], **one.headers}
            publishing.basic_publish(message(one.body, properties), exchange, routing_key, timeout=30)


UNREADABLE_ONES = [after_the_year_9999(), tables_in_tables(levels=1500), tables_in_tables(levels=2500)] * 7
UNWRITABLE_ONES = [tables_in_tables(levels=700)] * 3
"""py-amqp reads them, but cannot write them again."""


def publish_forged(stage: Stage, exchange: str, routing_key: str) -> None:
    """Publish messages of which not even the headers can be read, or written."""
    with channel(stage.vhost.amqp_url) as publishing:
        for kind in UNREADABLE_ONES + UNWRITABLE_ONES:
            sent = Forged(b"{}", delivery_mode=2, application_headers={"x": kind.marked})
            sent.marked = b"S" + struct.pack(">I", len(kind.marked)) + kind.marked
            sent.forged = kind.forged
            publishing.basic_publish(sent, exchange, routing_key, timeout=30)


def events_are_put_aside(stage: Stage, mark: Path) -> None:
    """Each becomes a dead letter with a reason; nothing ran, and the process goes on within its memory."""
    stage.accept("event-before")
    stage.until_effects("count", ["event-before"], "event-")
    second = stage.processes["second"]
    allowed = second.peak_memory_bytes + ALLOWED_MEMORY_BYTES
    hostile = [
        *hostile_messages(mark),
        Hostile(b'{"item": "poison"}', headers={ATTEMPT: -10}),
        Hostile(b'{"item": "poison"}', headers={ATTEMPT: 2**63 - 1}),
    ]
    publish(stage, topology.EVENTS, "first.accepted.v1", hostile)
    publish_forged(stage, topology.EVENTS, "first.accepted.v1")
    stage.accept("event-after")
    stage.until_effects("count", ["event-before", "event-after"], "event-")
    assert not mark.exists(), "a message was executed"
    url = stage.vhost.amqp_url
    put_aside = dead_letters.counts(url, ["second.count"])["second.count"]
    expected = len(hostile) + len(UNREADABLE_ONES) + len(UNWRITABLE_ONES)
    assert put_aside == expected, "not all are put aside"
    reasons = [letter["reason"] for letter in dead_letters.show(url, "second.count")]
    assert reasons.count("body is larger than 64 KiB") == LARGE_ONES
    assert reasons.count("body is nested too deep") == 2
    assert reasons.count("content type is not application/json") == 3
    assert reasons.count("properties are unreadable") == len(UNREADABLE_ONES)
    assert reasons.count("delivery-limit") == 0
    assert stage.effects("count", "hostile") == [], "a message had an effect"
    assert second.is_ready()
    assert "broker lost" not in second.log.read_text(), "a message cost the connection"
    assert second.peak_memory_bytes < allowed, "messages filled the memory"


def calls_are_refused(stage: Stage, mark: Path) -> None:
    """Each call is answered with a refusal; nothing ran, and the process goes on within its memory."""
    stage.accept("call-before")
    first = stage.processes["first"]
    allowed = first.peak_memory_bytes + ALLOWED_MEMORY_BYTES
    hostile = hostile_messages(mark)
    with channel(stage.vhost.amqp_url) as hearing:
        replies: list[bytes] = []
        queue = hearing.queue_declare(str(uuid.uuid4()), exclusive=True).queue
        hearing.queue_bind(queue, topology.RPC, queue)
        publish_forged(stage, topology.RPC, "first.accept")
        publish(stage, topology.RPC, "first.accept", hostile, reply_to=queue, correlation_id=uuid.uuid4().hex)

        def heard() -> bool:
            while (reply := hearing.basic_get(queue, no_ack=True)) is not None:
                replies.append(reply.body)
            return len(replies) >= len(hostile)

        until(heard, 20.0, lambda: f"{len(replies)} of {len(hostile)} calls are answered")
    assert not mark.exists(), "a call was executed"
    assert {json.loads(reply)["error"]["exc_type"] for reply in replies} == {"MalformedRequest"}
    stage.accept("call-after")
    assert stage.effects("accepted", "call-") == ["call-after", "call-before"]
    assert stage.effects("accepted", "hostile") == [], "a call had an effect"
    assert first.is_ready()
    assert "broker lost" not in first.log.read_text(), "a call cost the connection"
    assert first.peak_memory_bytes < allowed, "calls filled the memory"


@pytest.mark.proves("F18")
def test_hostile_messages_are_put_aside_or_refused_and_nothing_runs(
    make_stage: StageMaker, tmp_path: Path
) -> None:
    stage = make_stage()
    calls_are_refused(stage, tmp_path / "executed")
    events_are_put_aside(stage, tmp_path / "executed")


@pytest.mark.planted("F18")
def test_messages_that_run_are_seen(make_stage: StageMaker, tmp_path: Path) -> None:
    stage = make_stage(defect="bodies of any kind are loaded")
    with pytest.raises(AssertionError, match="a call was executed"):
        calls_are_refused(stage, tmp_path / "by a call")
    with pytest.raises(AssertionError, match="a message was executed"):
        events_are_put_aside(stage, tmp_path / "by an event")


@pytest.mark.planted("F18")
def test_events_that_vanish_are_seen(make_stage: StageMaker, tmp_path: Path) -> None:
    stage = make_stage(defect="failed events forgotten")
    with pytest.raises(AssertionError, match="not all are put aside"):
        events_are_put_aside(stage, tmp_path / "executed")
