"""Rate limits on a real Redis: exact, bounded in time, and nothing personal in its keys."""

from __future__ import annotations

import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from deploy.native.instance import Instance
from shared.cache import ANSWER_SECONDS, CacheUnavailable, Limiter

PHONE = "+84912345678"


@pytest.fixture
def url(servers: Instance) -> str:
    return str(servers.endpoints()["redis"])


@pytest.fixture
def name() -> str:
    return f"test_{uuid.uuid4().hex}"


def test_so_many_succeed_and_no_more(url: str, name: str) -> None:
    limiter = Limiter(url)
    assert [limiter.hit(name, PHONE, "3/hour") for _ in range(5)] == [True, True, True, False, False]


def test_keys_and_names_are_counted_apart(url: str, name: str) -> None:
    limiter = Limiter(url)
    assert limiter.hit(name, "one", "1/hour")
    assert limiter.hit(name, "other", "1/hour")
    assert limiter.hit(name + "_other", "one", "1/hour")
    assert not limiter.hit(name, "one", "1/hour")


def test_the_window_moves_on(url: str, name: str) -> None:
    limiter = Limiter(url)
    assert limiter.hit(name, PHONE, "1/2 seconds")
    assert not limiter.hit(name, PHONE, "1/2 seconds")
    assert limiter.wait_seconds(name, PHONE, "1/2 seconds") in (1, 2)
    time.sleep(2.1)
    assert limiter.wait_seconds(name, PHONE, "1/2 seconds") == 0
    assert limiter.hit(name, PHONE, "1/2 seconds")


def test_several_are_asked_for_at_once(url: str, name: str) -> None:
    limiter = Limiter(url)
    minute, hour = (name, PHONE, "1/minute"), (f"{name}_hour", PHONE, "2/hour")
    other = (name, "other", "1/hour")
    assert limiter.waits() == []
    assert limiter.waits(minute, hour, other) == [0, 0, 0]
    assert limiter.hit(*minute)
    assert limiter.hit(*hour)
    in_a_minute, free, nobodys = limiter.waits(minute, hour, other)
    assert (55 < in_a_minute <= 60, free, nobodys) == (True, 0, 0)
    assert limiter.hit(*hour)
    in_a_minute, in_an_hour, nobodys = limiter.waits(minute, hour, other)
    assert (55 < in_a_minute <= 60, 3500 < in_an_hour <= 3600, nobodys) == (True, True, 0)


def test_fifty_at_once_from_several_processes_worth_of_limiters_count_exactly(url: str, name: str) -> None:
    limiters = [Limiter(url) for _ in range(5)]
    with ThreadPoolExecutor(20) as together:
        hits = list(together.map(lambda i: limiters[i % 5].hit(name, PHONE, "7/hour"), range(50)))
    assert sum(hits) == 7


def test_redis_never_sees_the_key(url: str, name: str) -> None:
    Limiter(url).hit(name, PHONE, "3/hour")
    Limiter(url, hash_key="another").hit(name, PHONE, "3/hour")
    keys = [key.decode() for key in redis.from_url(url).scan_iter(f"*{name}*")]
    assert len(keys) == 2
    assert not [key for key in keys if "912345678" in key]


def test_a_count_is_forgotten_after_its_window(url: str, name: str) -> None:
    Limiter(url).hit(name, PHONE, "3/hour")
    client = redis.from_url(url)
    (key,) = client.scan_iter(f"*{name}*")
    assert 0 < client.ttl(key) <= 3600 + 1


def test_a_connection_that_redis_closed_is_no_failure(url: str, name: str) -> None:
    limiter = Limiter(url)
    assert limiter.hit(name, PHONE, "3/hour")
    redis.from_url(url).client_kill_filter(_id=limiter._storage.storage.client_id())
    assert limiter.hit(name, PHONE, "3/hour")
    redis.from_url(url).client_kill_filter(_id=limiter._storage.storage.client_id())
    assert limiter.wait_seconds(name, PHONE, "3/hour") == 0


def test_a_flushed_redis_starts_counting_anew(url: str, name: str) -> None:
    limiter = Limiter(url)
    assert limiter.hit(name, PHONE, "1/hour")
    client = redis.from_url(url)
    client.delete(*client.scan_iter(f"*{name}*"))
    client.script_flush()
    assert limiter.wait_seconds(name, PHONE, "1/hour") == 0
    assert limiter.hit(name, PHONE, "1/hour")
    client.script_flush()
    assert limiter.wait_seconds(name, PHONE, "1/hour") > 0


def test_nobody_listening_is_unavailable_at_once(name: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        with pytest.raises(CacheUnavailable):
            Limiter(url).hit(name, PHONE, "3/hour")
        with pytest.raises(CacheUnavailable):
            Limiter(url).wait_seconds(name, PHONE, "3/hour")


def test_a_redis_that_hangs_is_unavailable_within_a_bound(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        limiter = Limiter(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        begin = time.monotonic()
        with pytest.raises(CacheUnavailable) as caught:
            limiter.hit(name, PHONE, "3/hour")
        assert time.monotonic() - begin < 10 * ANSWER_SECONDS
        assert caught.value.__cause__ is None
