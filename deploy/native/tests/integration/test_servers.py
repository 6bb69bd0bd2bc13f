import os
import signal
import time
from pathlib import Path

import psycopg
import pytest
import redis
from amqp import Connection
from amqp.exceptions import AccessRefused, NotAllowed

from deploy.native.instance import Instance
from deploy.native.layout import SERVERS

OWN_RUN = ".run/test-native"  # the servers of .run/test are shared with other tests: these here get killed


@pytest.fixture(scope="module")
def instance():
    instance = Instance(OWN_RUN)
    instance.up("servers")
    yield instance
    instance.down()


def connect_amqp(url: str) -> None:
    user, address = url.removeprefix("amqp://").split("@")
    (name, password), (host, vhost) = user.split(":"), address.split("/")
    with Connection(host, name, password, virtual_host=vhost, connect_timeout=5):
        pass


def wait_for(condition, within_seconds: float = 30) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_second_up_touches_nothing(instance):
    before = instance.pids()

    Instance(OWN_RUN).up("servers")

    assert instance.pids() == before
    assert set(SERVERS) < set(before)


def test_a_service_reaches_its_own_database_only(instance):
    url = instance.environment("registration")["DATABASE_URL"]

    with psycopg.connect(url) as connection:
        assert connection.info.parameter_status("server_encoding") == "UTF8"
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url.removesuffix("registration") + "identity")


def test_two_throw_away_databases_share_nothing(instance):
    one, other = instance.database("one"), instance.database("other")
    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE only_here (name text)")
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)

    with psycopg.connect(instance.database("one")) as connection:  # made anew: empty again
        assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)

    instance.drop_database("one")
    instance.drop_database("other")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(one)


def test_a_throw_away_vhost_takes_connections_until_it_is_dropped(instance):
    vhost = instance.vhost("one")
    connect_amqp(vhost.amqp_url)

    instance.drop_vhost("one")

    with pytest.raises((AccessRefused, NotAllowed)):
        connect_amqp(vhost.amqp_url)


@pytest.mark.parametrize("name", ["registration", "postgres", "vssid", "Upper", "a-b", "", "x; DROP"])
def test_a_name_that_could_harm_the_installation_is_refused(instance, name):
    for make_or_drop in (instance.database, instance.drop_database, instance.vhost, instance.drop_vhost):
        with pytest.raises(ValueError, match="use a name"):
            make_or_drop(name)


def test_redis_asks_for_the_password(instance):
    url = instance.endpoints()["redis"]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(url.replace(url.split("@")[0], "redis://")).ping()


@pytest.mark.parametrize("server", SERVERS)
def test_a_killed_server_comes_back_with_what_it_kept(instance, server):
    database = instance.database("kept")
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE kept (name text)")
    killed = instance.pids()[server]

    instance.kill(server)
    wait_for(lambda: instance.pids().get(server, killed) != killed)
    Instance(OWN_RUN).up("servers")

    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    connect_amqp(instance.endpoints()["amqp"])


def test_what_a_dead_supervisor_left_behind_is_ended_before_the_next_start(instance):
    left_behind = instance.pids()
    os.kill(int((instance.run / "supervisor" / "supervisord.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not instance.supervision.is_running())

    instance.up("servers")

    still_there = [name for name, pid in left_behind.items() if Path(f"/proc/{pid}").exists()]
    assert not still_there
    connect_amqp(instance.endpoints()["amqp"])


def test_down_leaves_no_process_behind_and_takes_less_than_20_seconds(instance):
    started = time.monotonic()

    instance.down()

    assert time.monotonic() - started < 20
    assert instance.strays() == []
    instance.down()  # again: nothing to do, no complaint
