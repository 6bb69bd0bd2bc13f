"""Debian's Prometheus on a running product: what goes wrong is seen, and so is that it is mended.

The time of each rule is tested in ``test_rules.py``; here they fire at once.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from deploy.native.instance import Instance
from shared.messaging.connection import channel, message
from shared.messaging.gauges import REFRESH_SECONDS
from shared.testing.processes import until
from tests.observability.prometheus import Prometheus

SOON_SECONDS = 20.0
REFRESHED_SECONDS = 2 * REFRESH_SECONDS + SOON_SECONDS
LISTENER = "history.note_sessions_ended"


def seen(prometheus: Prometheus, alert: str, seconds: float, **labels: str) -> None:
    """Wait until the alert fires with these labels."""

    def fires() -> bool:
        return any(labels.items() <= found.items() for found in prometheus.firing(alert))

    until(fires, seconds, lambda: f"{alert} does not fire: {prometheus.firing(alert)}", 0.5)


def over(prometheus: Prometheus, alert: str, seconds: float) -> None:
    """Wait until the alert no longer fires."""
    until(
        lambda: not prometheus.firing(alert),
        seconds,
        lambda: f"{alert} still fires: {prometheus.firing(alert)}",
        0.5,
    )


@contextmanager
def row(dsn: str, add: str, remove: str, **params: Any) -> Iterator[None]:
    """A row that should not be there, for the length of the block."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(add, params)
        try:
            yield
        finally:
            connection.execute(remove, params)


@contextmanager
def stopped(product: Instance, name: str) -> Iterator[None]:
    """A process is not there, for the length of the block."""
    product.supervision.stop([name])
    try:
        yield
    finally:
        product.up()


def database(product: Instance, service: str) -> str:
    return product.environment(service)["DATABASE_URL"]


def test_a_running_product_is_scraped_whole(watching: Prometheus) -> None:
    jobs = {"registration", "identity", "notification", "history", "gateway", "rabbitmq", "rabbitmq_queues"}
    until(
        lambda: {sample["metric"]["job"] for sample in watching.ask("up == 1")} == jobs,
        SOON_SECONDS,
        lambda: str(watching.ask("up")),
    )
    queues = {sample["metric"]["queue"] for sample in watching.ask("rabbitmq_detailed_queue_messages")}
    assert {LISTENER, f"{LISTENER}.dead"} <= queues
    assert watching.ask("rabbitmq_alarms_free_disk_space_watermark")


def test_of_a_product_that_is_well_nothing_fires(watching: Prometheus) -> None:
    until(
        lambda: not watching.ask('ALERTS{alertstate="firing"}'),
        REFRESHED_SECONDS,
        lambda: str(watching.ask('ALERTS{alertstate="firing"}')),
    )


def test_a_process_that_does_not_answer_is_missed_until_it_does(
    product: Instance, watching: Prometheus
) -> None:
    process = product.pids()["history"]
    os.kill(process, signal.SIGSTOP)
    try:
        seen(watching, "ProcessDown", SOON_SECONDS, job="history")
    finally:
        os.kill(process, signal.SIGCONT)
    over(watching, "ProcessDown", SOON_SECONDS)


def test_a_dead_letter_is_told_until_it_is_gone(product: Instance, watching: Prometheus) -> None:
    with channel(str(product.endpoints()["amqp"])) as speaking:
        speaking.basic_publish(message(b"no event", {}), exchange="", routing_key=LISTENER)
        try:
            seen(watching, "DeadLetters", SOON_SECONDS, queue=f"{LISTENER}.dead")
        finally:
            speaking.queue_purge(f"{LISTENER}.dead")
    over(watching, "DeadLetters", SOON_SECONDS)


def test_a_job_that_was_given_up_is_told_until_it_is_taken_up_again(
    product: Instance, watching: Prometheus
) -> None:
    with row(
        database(product, "notification"),
        "INSERT INTO jobs (kind, key, due_at, failed_at) VALUES ('send_sms', %(key)s, now(), now())",
        "DELETE FROM jobs WHERE kind = 'send_sms' AND key = %(key)s",
        key=str(uuid.uuid4()),
    ):
        seen(watching, "JobsGivenUp", REFRESHED_SECONDS, job="notification", kind="send_sms")
    over(watching, "JobsGivenUp", REFRESHED_SECONDS)


def test_an_event_that_does_not_leave_is_told_until_it_has(product: Instance, watching: Prometheus) -> None:
    with row(
        database(product, "history"),
        """INSERT INTO outbox (id, type, headers, body, created_at, due_at)
           VALUES (%(id)s, 'none', '{}', '', now() - interval '1 hour', now() + interval '1 hour')""",
        "DELETE FROM outbox WHERE id = %(id)s",
        id=uuid.uuid4(),
    ):
        seen(watching, "OutboxStuck", REFRESHED_SECONDS, job="history")
    over(watching, "OutboxStuck", REFRESHED_SECONDS)


def test_the_sms_centre_is_missed_until_it_is_back(product: Instance, watching: Prometheus) -> None:
    with stopped(product, "smsc"):
        seen(watching, "SmscUnbound", SOON_SECONDS, job="notification")
    over(watching, "SmscUnbound", SOON_SECONDS)


def test_a_queue_that_nobody_consumes_is_told_until_its_service_is_back(
    product: Instance, watching: Prometheus
) -> None:
    with stopped(product, "history"):
        seen(watching, "NobodyListens", SOON_SECONDS, queue=LISTENER)
        seen(watching, "NobodyListens", SOON_SECONDS, queue="rpc-history")
    over(watching, "NobodyListens", SOON_SECONDS)


def test_the_broker_is_missed_by_everyone_until_it_is_back(product: Instance, watching: Prometheus) -> None:
    with stopped(product, "rabbitmq"):
        for process in ("registration", "identity", "notification", "history", "gateway"):
            seen(watching, "BrokerDisconnected", SOON_SECONDS, job=process)
        seen(watching, "ProcessDown", SOON_SECONDS, job="rabbitmq")
    over(watching, "BrokerDisconnected", SOON_SECONDS)
    over(watching, "ProcessDown", SOON_SECONDS)


def test_a_database_that_does_not_answer_is_told_until_it_does(
    product: Instance, watching: Prometheus
) -> None:
    """Locked rather than stopped, so that the other services go on: what is counted cannot be read."""
    with psycopg.connect(database(product, "history")) as connection:
        connection.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        seen(watching, "DatabaseAway", 60 + REFRESHED_SECONDS + SOON_SECONDS, job="history")
        connection.rollback()
    over(watching, "DatabaseAway", REFRESHED_SECONDS + SOON_SECONDS)
