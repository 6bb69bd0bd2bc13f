import httpx
import psycopg

from deploy.native import machine


def test_the_broker_that_runs_is_the_one_of_the_servers_root(servers):
    overview = httpx.get(f"{servers.endpoints()['amqp_management']}/api/overview").json()

    folder = f"usr/lib/rabbitmq/lib/rabbitmq_server-{overview['rabbitmq_version']}"

    assert (servers.layout.servers_root / folder).is_dir()


def test_the_database_that_runs_is_the_newest_of_the_servers_root(servers):
    with psycopg.connect(servers.endpoints()["postgres"]) as connection:
        version = connection.info.server_version // 10_000

    assert machine.postgres_bin(servers.layout.servers_root).parent.name == str(version)
