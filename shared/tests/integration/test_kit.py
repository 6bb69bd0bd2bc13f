"""The kit's promises, one by one, on real processes, RabbitMQ and PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import kombu
import psycopg
import pytest
from cloudevents.core.bindings import rabbitmq

from deploy.native.instance import Instance
from shared import metrics
from shared.messaging import dead_letters, topology
from shared.messaging.calls import CallFailed, CallRefused, CallTimeout, ServiceUnknown
from shared.messaging.connection import channel, message
from shared.messaging.gauges import REFRESH_SECONDS
from shared.messaging.publisher import Outcome
from shared.messaging.rpc import PREFETCH
from shared.testing.processes import until
from shared.testing.stage import Stage

FORGET_CONNECTIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
BUSY = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
STOCK_CLIENT = Path(__file__).parent / "stages" / "stock_client.py"


@pytest.fixture(scope="module")
def stage(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(servers, "kit", tmp_path_factory.mktemp("kit"))
    stage.up()
    yield stage
    stage.down()


def test_an_accepted_item_has_each_effect_once(stage: Stage) -> None:
    stage.accept("one")
    for what in ("count", "follow", "counted"):
        stage.until_effects(what, ["one"], "one")
    until(lambda: not stage.rows("first", "SELECT 1 FROM outbox"), 5, "the outbox is not emptied")
    assert not stage.rows("second", "SELECT 1 FROM jobs WHERE failed_at IS NULL")


def test_many_items_at_once_each_have_each_effect_once(stage: Stage) -> None:
    items = [f"many-{n}" for n in range(300)]
    with ThreadPoolExecutor(32) as threads:
        list(threads.map(stage.accept, items))
    for what in ("count", "follow", "counted"):
        stage.until_effects(what, items, "many-")


def test_a_redelivered_event_has_no_second_effect(stage: Stage) -> None:
    assert stage.publish("twice", copies=5) == [Outcome.CONFIRMED] * 5
    stage.until_effects("count", ["twice"], "twice")
    stage.accept("after-twice")
    stage.until_effects("count", ["after-twice"], "after-twice")
    assert stage.effects("count", "twice") == ["twice"]


def test_a_write_repeated_under_its_key_is_executed_once(stage: Stage) -> None:
    key, item_id = str(uuid.uuid4()), str(uuid.uuid4())
    with ThreadPoolExecutor(50) as threads:
        replies = list(threads.map(lambda _: stage.accept("keyed", item_id, key), range(50)))
    assert len({str(reply) for reply in replies}) == 1
    stage.until_effects("count", ["keyed"], "keyed")


def test_a_key_reused_for_another_request_is_refused(stage: Stage) -> None:
    key = str(uuid.uuid4())
    stage.accept("first-use", key=key)
    with pytest.raises(CallRefused) as refused:
        stage.accept("second-use", key=key)
    assert refused.value.name == "IdempotencyKeyReused"


def test_a_refusal_reaches_the_caller_with_its_fields(stage: Stage) -> None:
    with pytest.raises(CallRefused) as refused:
        stage.accept("refused")
    assert refused.value.name == "ItemRefused"
    assert refused.value.vi == "Mục này không được nhận."
    assert [(p.field, p.vi, p.en) for p in refused.value.problems] == [("item", "khác đi", "another one")]
    assert refused.value.details == {"limit": 1}
    assert not stage.rows("first", "SELECT 1 FROM accepted WHERE item = 'refused'")


def test_an_unexpected_error_reaches_nobody_with_its_arguments(stage: Stage) -> None:
    with pytest.raises(CallFailed) as failed:
        stage.client.call("first", "fail", {"secret": "canary-0912345678"}, 5.0)
    assert failed.value.reason == "InternalError"
    log = stage.processes["first"].log.read_text()
    assert failed.value.error_id in log
    assert "canary" not in log
    assert "0912345678" not in log


def test_a_call_ends_by_its_deadline(stage: Stage) -> None:
    started = time.monotonic()
    with pytest.raises(CallTimeout):
        stage.client.call("first", "sleep", {"seconds": 3}, 0.5)
    assert time.monotonic() - started < 2


def test_a_call_to_nobody_fails_at_once(stage: Stage) -> None:
    started = time.monotonic()
    with pytest.raises(ServiceUnknown):
        stage.client.call("nobody", "anything", {}, 10.0)
    assert time.monotonic() - started < 2


def calls_counted(method: str, outcome: str) -> float:
    """How many calls of this process ended so."""
    labels = {"method": method, "outcome": outcome}
    return metrics.REGISTRY.get_sample_value("vssid_rpc_calls_total", labels) or 0.0


def test_the_caller_counts_its_calls_by_how_they_ended(stage: Stage) -> None:
    endings = [
        ("first.accept", "ok", lambda: stage.accept("counted call")),
        ("first.accept", "refused", lambda: stage.accept("refused")),
        ("first.fail", "failed", lambda: stage.client.call("first", "fail", {"secret": ""}, 5.0)),
        ("first.sleep", "timeout", lambda: stage.client.call("first", "sleep", {"seconds": 1}, 0.2)),
        ("nobody.anything", "unknown", lambda: stage.client.call("nobody", "anything", {}, 5.0)),
    ]
    for method, outcome, call in endings:
        before = calls_counted(method, outcome)
        with contextlib.suppress(CallFailed, CallRefused):
            call()
        assert calls_counted(method, outcome) == before + 1


def test_an_unknown_method_is_named(stage: Stage) -> None:
    with pytest.raises(CallFailed) as failed:
        stage.client.call("first", "missing", {}, 5.0)
    assert failed.value.reason == "MethodNotFound"


def test_calls_with_odd_headers_are_answered_and_cost_nobody_a_turn(stage: Stage) -> None:
    odd = [
        {"traceparent": 5},
        {"traceparent": {"a": "table"}},
        {"x-deadline": "soon"},
        {"x-idempotency-key": {"a": "table"}},
        {"x-idempotency-key": "k" * 100_000},
    ]
    with channel(stage.vhost.amqp_url) as calling:
        queue = calling.queue_declare(str(uuid.uuid4()), exclusive=True).queue
        calling.queue_bind(queue, topology.RPC, queue)
        for headers in odd * (PREFETCH // len(odd) + 1):
            body = json.dumps({"args": [], "kwargs": {"item": "odd"}}).encode()
            properties = {"application_headers": headers, "reply_to": queue, "correlation_id": "odd"}
            calling.basic_publish(message(body, properties), topology.RPC, "first.accept_new", timeout=10)
        assert stage.client.call("first", "sleep", {"seconds": 0}, 5.0) == "slept"
        until(
            lambda: calling.queue_declare(queue, passive=True).message_count >= PREFETCH,
            20,
            "not all are answered",
        )
    assert stage.processes["first"].is_ready()


def test_a_call_that_was_left_unanswered_is_not_executed_again(stage: Stage) -> None:
    """One without a deadline would otherwise come back for ever, and kill whoever takes it each time."""
    process = stage.processes["first"]
    with channel(stage.vhost.amqp_url) as calling:
        body = json.dumps({"args": [], "kwargs": {"item": "left", "seconds": 2.0}}).encode()
        calling.basic_publish(message(body, {}), topology.RPC, "first.accept_slowly", timeout=10)
    until(lambda: "idle in transaction" in str(stage.rows("first", BUSY)), 5, "the call does not arrive")
    process.kill()
    process.start()
    process.wait_ready()
    assert stage.client.call("first", "sleep", {"seconds": 0}, 10.0) == "slept"
    time.sleep(3.0)
    assert stage.effects("accepted", "left") == []


def test_a_refusal_that_is_returned_keeps_what_was_written(stage: Stage) -> None:
    key = str(uuid.uuid4())
    for _ in range(2):
        with pytest.raises(CallRefused) as refused:
            stage.client.call("first", "note_and_refuse", {"item": "noted"}, 5.0, idempotency_key=key)
        assert refused.value.name == "ItemRefused"
    assert stage.effects("accepted", "noted") == ["noted"]


def test_a_write_that_asks_another_service_first_has_one_effect_under_its_key(stage: Stage) -> None:
    key, arguments = str(uuid.uuid4()), {"item": "asked for", "number": 4}

    def ask(_: int = 0) -> dict[str, Any]:
        reply: dict[str, Any] = stage.client.call(
            "first", "ask_and_accept", arguments, 20.0, idempotency_key=key
        )
        return reply

    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(ask, range(10)))
    assert replies == [replies[0]] * 10
    assert replies[0]["double"] == 8
    assert stage.effects("accepted", "asked for") == ["asked for"]
    arguments["item"] = "asked for something else"
    with pytest.raises(CallRefused) as refused:
        ask()
    assert refused.value.name == "IdempotencyKeyReused"
    arguments |= {"item": "refused", "number": 1}
    key = str(uuid.uuid4())
    with pytest.raises(CallRefused) as refused:
        ask()
    assert refused.value.name == "ItemRefused"
    arguments |= {"item": "never asked for", "number": -1}
    with pytest.raises(CallRefused) as refused:
        ask()
    assert refused.value.name == "ItemRefused"
    assert stage.effects("accepted", "never asked for") == []


def test_an_answer_that_cannot_be_written_down_is_an_error_with_an_id(stage: Stage) -> None:
    with pytest.raises(CallFailed) as failed:
        stage.client.call("first", "answer_oddly", {}, 5.0)
    assert failed.value.error_id in stage.processes["first"].log.read_text()


def test_a_service_calls_another(stage: Stage) -> None:
    assert stage.client.call("first", "ask_second", {"number": 21}, 5.0)["double"] == 42


def test_calls_in_flight_are_answered_together_and_each_with_its_own(stage: Stage) -> None:
    with ThreadPoolExecutor(40) as threads:
        replies = list(
            threads.map(lambda n: stage.client.call("second", "double", {"number": n}, 5.0), range(400))
        )
    assert [reply["double"] for reply in replies] == [2 * n for n in range(400)]
    assert max(reply["of"] for reply in replies) > 1
    with pytest.raises(CallRefused):
        stage.client.call("second", "double", {"number": -1}, 5.0)


def test_a_permanent_refusal_by_a_listener_is_dead_lettered_at_once(stage: Stage) -> None:
    stage.publish("refused-late")
    url = stage.vhost.amqp_url
    until(lambda: dead_letters.counts(url, ["second.count"])["second.count"] == 1, 10, "no dead letter")
    (letter,) = dead_letters.show(url, "second.count")
    assert letter["reason"] == "ItemRefused"
    assert letter["attempts"] == 1


def test_a_failing_job_is_given_up_and_stays_visible(stage: Stage) -> None:
    stage.accept("jobfails")
    until(
        lambda: stage.rows("second", "SELECT 1 FROM jobs WHERE failed_at IS NOT NULL AND attempts = 3"),
        20,
        "the job is not given up after its three attempts",
    )
    assert stage.effects("follow", "jobfails") == []
    assert stage.rows("second", "SELECT last_error FROM jobs")[0]["last_error"] == "RuntimeError"


def call_as_stock_nameko(stage: Stage, service: str, method: str, **keywords: Any) -> Any:
    """What a client of stock Nameko, in a process of its own, gets from the call."""
    command = [sys.executable, "-W", "ignore", STOCK_CLIENT, stage.vhost.amqp_url, service, method]
    done = subprocess.run([*command, json.dumps(keywords)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_stock_nameko_client_gets_the_result_of_a_call(stage: Stage) -> None:
    item_id = str(uuid.uuid4())
    reply = call_as_stock_nameko(stage, "first", "accept", item_id=item_id, item="stock")
    assert reply["result"]["id"] == item_id
    stage.until_effects("counted", ["stock"], "stock")


def test_a_stock_nameko_client_gets_the_answer_of_calls_answered_together(stage: Stage) -> None:
    assert call_as_stock_nameko(stage, "second", "double", number=21)["result"]["double"] == 42


def test_a_refusal_reaches_a_stock_nameko_client_as_a_remote_error_with_its_name(stage: Stage) -> None:
    reply = call_as_stock_nameko(stage, "first", "accept", item_id=str(uuid.uuid4()), item="refused")
    assert reply == {"remote_error": "ItemRefused", "value": "This item is not accepted."}


def test_a_plain_kombu_consumer_reads_an_event_with_the_cloudevents_sdk_alone(stage: Stage) -> None:
    exchange = kombu.Exchange("vssid.events", type="topic")
    queue = kombu.Queue("of-a-stranger", exchange, "first.accepted.v1", exclusive=True)
    with kombu.Connection(stage.vhost.amqp_url) as connection, connection.SimpleQueue(queue) as reader:
        accepted = stage.accept("for-a-stranger", item_id := str(uuid.uuid4()))
        message = reader.get(timeout=10)
        message.ack()
    received = rabbitmq.RabbitMQMessage(message.headers, message.content_type, message.body)
    read = rabbitmq.from_rabbitmq_event(received)
    assert (read.get_type(), read.get_source()) == ("first.accepted.v1", "/vssid/first")
    assert (read.get_subject(), read.get_extension("correlationid")) == (item_id, item_id)
    assert read.get_time() == datetime.fromisoformat(accepted["at"])
    assert read.get_data() == {"item": "for-a-stranger"}


def test_metrics_and_health_answer(stage: Stage) -> None:
    text = stage.processes["second"].metrics()
    assert 'vssid_events_handled_total{listener="second.count",outcome="handled"}' in text
    assert 'vssid_event_age_seconds_count{listener="second.count"}' in text
    assert "vssid_broker_connected 1.0" in text
    assert "vssid_database_connections_max 10.0" in text


def test_a_job_that_was_given_up_shows_soon(stage: Stage) -> None:
    stage.accept("jobfails shown")
    until(
        lambda: re.search(
            r'^vssid_jobs_given_up\{kind="follow"\} [1-9]', stage.processes["second"].metrics(), re.M
        ),
        20 + 2 * REFRESH_SECONDS,
        "no job that was given up shows",
        0.5,
    )


def test_a_service_stops_when_told(stage: Stage) -> None:
    process = stage.process("second", replica="-extra")
    process.start()
    process.wait_ready()
    started = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - started < 10


def test_an_error_that_a_handler_caught_is_no_success(stage: Stage) -> None:
    """PostgreSQL answers the COMMIT of a failed transaction with a rollback, and with no error."""
    with pytest.raises(CallFailed):
        stage.client.call("first", "swallow", {"item": "swallowed"}, 5.0)
    assert stage.effects("accepted", "swallowed") == []


def test_a_connection_that_only_reads_is_given_up(stage: Stage) -> None:
    """As after a failover: the old server is there, and takes no writes."""
    reading_only = "ALTER DATABASE {} SET default_transaction_read_only = {}"
    name = stage.databases["first"].rpartition("/")[2]
    stage.run("first", reading_only.format(name, "on"))
    stage.run("first", FORGET_CONNECTIONS)
    try:
        with pytest.raises(CallFailed):
            stage.accept("read-only")
        until(lambda: not stage.processes["first"].is_ready(), 10, "it says that it is ready")
    finally:
        with psycopg.connect(stage.databases["first"], options="-c default_transaction_read_only=off") as own:
            own.execute(reading_only.format(name, "off").encode())
    until(lambda: stage.processes["first"].is_ready(), 10, "it does not recover")
    stage.accept("read-only-over")
    assert stage.effects("accepted", "read-only") == ["read-only-over"]
