"""Prepares the private RabbitMQ, PostgreSQL and Redis of an installation, and tells when each is ready."""

import subprocess
import tempfile
from http import HTTPStatus
from urllib.error import HTTPError

import amqp
import psycopg
import redis
from psycopg import sql

from deploy.native import machine
from deploy.native.keys import WITH_DATABASE, write_private
from deploy.native.layout import VHOST, Layout
from deploy.native.programs import as_postgres
from deploy.native.web import ask

ALL_RIGHTS = {"configure": ".*", "write": ".*", "read": ".*"}


# RabbitMQ


def prepare_rabbitmq(layout: Layout) -> None:
    folder = layout.run / "rabbitmq"
    (folder / "mnesia").mkdir(parents=True, exist_ok=True)
    (folder / "log").mkdir(exist_ok=True)
    write_private(folder / ".erlang.cookie", layout.keys["erlang_cookie"], mode=0o400)
    (folder / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
    settings = {
        "listeners.tcp.local": f"127.0.0.1:{layout.ports['amqp']}",
        "management.tcp.ip": "127.0.0.1",
        "management.tcp.port": layout.ports["amqp_management"],
        "prometheus.tcp.ip": "127.0.0.1",
        "prometheus.tcp.port": layout.ports["amqp_metrics"],
        "default_vhost": VHOST,
        "default_user": "admin",
        "default_pass": layout.keys["amqp_admin"],
        "log.file": "false",
        "log.console": "true",
        "log.console.level": "info",
    }
    write_private(
        folder / "rabbitmq.conf", "".join(f"{name} = {value}\n" for name, value in settings.items())
    )


def check_rabbitmq(layout: Layout) -> None:
    """Raise unless the broker takes connections and its management interface answers."""
    _management(layout, "GET", "overview")
    address = f"127.0.0.1:{layout.ports['amqp']}"
    password = layout.keys["amqp_admin"]
    with amqp.Connection(address, "admin", password, virtual_host=VHOST, connect_timeout=2):
        pass


def make_vhost(layout: Layout, name: str) -> None:
    """Make an empty vhost, in place of one with this name."""
    drop_vhost(layout, name)
    _management(layout, "PUT", f"vhosts/{name}", {})
    _management(layout, "PUT", f"permissions/{name}/admin", ALL_RIGHTS)


def drop_vhost(layout: Layout, name: str) -> None:
    try:
        _management(layout, "DELETE", f"vhosts/{name}")
    except HTTPError as refusal:
        if refusal.code != HTTPStatus.NOT_FOUND:
            raise


def _management(layout: Layout, method: str, path: str, body: object = None) -> None:
    ask(f"{layout.http('amqp_management')}/api/{path}", method, body, "admin", layout.keys["amqp_admin"])


# PostgreSQL


def prepare_postgres(layout: Layout) -> None:
    """Make the database cluster, once. Runs initdb as the user that will own it."""
    data = layout.run / "postgres" / "data"
    if (data / "PG_VERSION").exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    inside = machine.inside(layout.servers_root, layout.run)
    with tempfile.NamedTemporaryFile("w", dir=data.parent) as password:
        password.write(layout.keys["postgres_admin"])
        password.flush()
        if machine.is_root():
            owned = [str(data), password.name]
            subprocess.run([*inside, "chown", "postgres:postgres", *owned], check=True)
        command = [
            *inside, *as_postgres(data), str(machine.postgres_bin(layout.servers_root) / "initdb"),
            "-D", str(data), "-U", "postgres",
            "--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8", "--locale=C.UTF-8",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=data, capture_output=True, text=True, check=False)
    if done.returncode:
        raise machine.NotReady(f"initdb failed:\n{done.stdout}{done.stderr}")


def check_postgres(layout: Layout) -> None:
    psycopg.connect(layout.admin_database_url(), connect_timeout=2).close()


def provision_postgres(layout: Layout) -> None:
    """One role and one database per service; a role can reach no database but its own."""
    with psycopg.connect(layout.admin_database_url(), autocommit=True) as admin:
        present = {name for (name,) in admin.execute("SELECT datname FROM pg_database")}
        for service in WITH_DATABASE:
            if service not in present:
                _make_role(admin, service, layout.keys[f"postgres_{service}"])
                _make_database(admin, service, owner=service)
                revoke = sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC")
                admin.execute(revoke.format(sql.Identifier(service)))


def _make_role(admin: psycopg.Connection, name: str, password: str) -> None:
    if not admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))


def _make_database(admin: psycopg.Connection, name: str, owner: str) -> None:
    statement = (
        "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8' STRATEGY file_copy"
    )
    admin.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(owner)))


def make_database(layout: Layout, name: str) -> None:
    """Make an empty database, in place of one with this name."""
    with psycopg.connect(layout.admin_database_url(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        _make_database(admin, name, owner="postgres")


def drop_database(layout: Layout, name: str) -> None:
    with psycopg.connect(layout.admin_database_url(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


# Redis


def prepare_redis(layout: Layout) -> None:
    folder = layout.run / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "bind": "127.0.0.1",
        "port": layout.ports["redis"],
        "requirepass": layout.keys["redis"],
        "dir": f'"{folder}"',
        "save": '""',  # only what may be lost is kept here
        "appendonly": "no",
        "daemonize": "no",
    }
    write_private(folder / "redis.conf", "".join(f"{name} {value}\n" for name, value in settings.items()))


def check_redis(layout: Layout) -> None:
    with redis.Redis.from_url(layout.redis_url, socket_connect_timeout=2, socket_timeout=2) as client:
        client.ping()
