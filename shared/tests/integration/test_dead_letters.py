"""Dead letters may be looked at as often as anybody likes: they stay until an operator acts."""

from __future__ import annotations

import urllib.parse

import pytest

from deploy.native.instance import Vhost
from shared.messaging import dead_letters, topology
from shared.messaging.connection import channel, message
from shared.testing.processes import until

LIMIT = 3
"""Deliveries, so that more looks than that are made soon."""
LOOKS = 30


@pytest.fixture
def listener(vhost: Vhost, monkeypatch: pytest.MonkeyPatch) -> str:
    """A listener of the product, on a broker that gives up a message after ``LIMIT`` deliveries."""
    monkeypatch.setattr(topology, "DELIVERY_LIMIT", LIMIT)
    wanted = topology.apply(vhost.amqp_url, vhost.management_url)
    return next(queue.listener for queue in wanted if queue.listener)


def policy_of(vhost: Vhost, queue: str) -> str:
    name = urllib.parse.quote(vhost.name, safe="")
    with topology.management(vhost.management_url) as broker:
        row = broker.get(f"queues/{name}/{queue}").raise_for_status().json()
    return str(row.get("policy"))


def put(vhost: Vhost, key: str) -> None:
    with channel(vhost.amqp_url) as publishing:
        letter = message(b"{}", {"application_headers": {"ce-id": "a letter"}})
        publishing.basic_publish(letter, topology.RETRY, key, mandatory=True, timeout=10)


def test_a_letter_that_was_looked_at_thirty_times_is_still_there(vhost: Vhost, listener: str) -> None:
    until(
        lambda: policy_of(vhost, f"{listener}.dead") == "vssid-dead-letters", 60, "the policy does not apply"
    )
    put(vhost, f"{topology.DEAD_KEY}.{listener}")
    for _ in range(LOOKS):
        until(
            lambda: dead_letters.counts(vhost.amqp_url, [listener])[listener] == 1, 60, "the letter is gone"
        )
        assert [letter["event_id"] for letter in dead_letters.show(vhost.amqp_url, listener)] == ["a letter"]
    until(lambda: dead_letters.counts(vhost.amqp_url, [listener])[listener] == 1, 60, "the letter is gone")


def test_a_listeners_queue_keeps_its_limit(vhost: Vhost, listener: str) -> None:
    until(lambda: policy_of(vhost, listener) == "vssid-limits", 60, "the policy does not apply")
    with channel(vhost.amqp_url) as publishing:
        letter = message(b"{}", {"application_headers": {"ce-id": "a letter"}})
        publishing.basic_publish(letter, topology.RETURN, f"0s.{listener}", mandatory=True, timeout=10)

    def is_given_up() -> bool:
        with channel(vhost.amqp_url) as taking:
            taking.basic_get(listener)
        return dead_letters.counts(vhost.amqp_url, [listener])[listener] == 1

    until(is_given_up, 60, "the limit of deliveries does not hold")
