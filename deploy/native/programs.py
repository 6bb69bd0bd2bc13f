"""Lists every process of an installation, and how each is started."""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.native import machine
from deploy.native.layout import ROOT, SERVICES, SMPP_SYSTEM_ID, STAND_INS, Layout

# Groups stop from the last to the first, so that work in flight still finds what it needs.
GROUPS = {
    "names": ("epmd",),
    "servers": ("rabbitmq", "postgres", "redis"),
    "stand_ins": STAND_INS,
    "services": SERVICES,
    "edge": ("gateway",),
}


@dataclass(frozen=True)
class Program:
    """One supervised process: `stop_seconds` is how long it may take to end before it is killed."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    stop_signal: str = "TERM"
    stop_seconds: int = 4

    def script(self) -> str:
        """A shell script that becomes the process; an operator may run it by hand as well."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return "\n".join(
            [*exports, f"cd {shlex.quote(str(self.folder))}", f"exec {shlex.join(self.command)}", ""]
        )


def programs(layout: Layout) -> list[Program]:
    return [*_servers(layout), *_stand_ins(layout), *_services(layout)]


def _servers(layout: Layout) -> list[Program]:
    rabbitmq = layout.run / "rabbitmq"
    data = layout.run / "postgres" / "data"
    inside = machine.inside(layout.servers_root, layout.run)
    postgres = [
        *as_postgres(data),
        str(machine.postgres_bin(layout.servers_root) / "postgres"),
        "-D",
        str(data),
    ]
    names = {
        "HOME": str(rabbitmq),
        "ERL_EPMD_PORT": str(layout.ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    return [
        Program("epmd", [*inside, "epmd"], names),
        Program(
            "rabbitmq",
            [*inside, machine.RABBITMQ_SERVER],
            names | _rabbitmq_environment(layout),
            stop_seconds=7,
        ),
        Program(
            "postgres",
            [*inside, *postgres, *_postgres_options(layout)],
            folder=data,
            stop_signal="INT",  # PostgreSQL's fast shutdown: open sessions are ended, nothing is lost
        ),
        Program("redis", [*inside, "redis-server", str(layout.run / "redis" / "redis.conf")]),
    ]


def _rabbitmq_environment(layout: Layout) -> dict[str, str]:
    folder = layout.run / "rabbitmq"
    return {
        "RABBITMQ_NODENAME": "vssid@localhost",
        "RABBITMQ_DIST_PORT": str(layout.ports["erlang_distribution"]),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),  # not the one of a system-wide broker
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }


def _postgres_options(layout: Layout) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": layout.ports["postgres"],
        "unix_socket_directories": "",  # a deep folder's path would be too long for a socket
        "max_connections": 200,
        "shared_buffers": "128MB",
        "fsync": "on",
        "log_error_verbosity": "terse",  # the details of an error quote values: a phone that is taken, say
        "log_parameter_max_length": 0,
    }
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def as_postgres(data: Path) -> list[str]:
    """The command prefix that drops root, which PostgreSQL refuses to run as; empty for anybody else.

    Below a folder that is closed to other users (a clone in /root, say) the process also gets the one
    capability that lets it reach its own data.
    """
    if not machine.is_root():
        return []
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    if all(parent.stat().st_mode & 0o001 for parent in data.parents):
        return drop
    return [*drop, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


def _stand_ins(layout: Layout) -> list[Program]:
    def program(name: str, port: str, *options: str, **secrets: str) -> Program:
        listen = ["--host", "127.0.0.1", "--port", str(layout.ports[port])]
        data = ["--data", str(layout.run / "stand_ins" / name)]
        command = [sys.executable, "-m", f"deploy.stand_ins.{name}", *listen, *data, *options]
        return Program(name, command, {"PYTHONPATH": str(ROOT), **secrets})

    return [
        program(
            "population_register",
            "register",
            *("--citizens", str(layout.citizens_file)),
            POPULATION_REGISTER_TOKEN=layout.keys["register_token"],
        ),
        program(
            "smsc",
            "smsc",
            *("--http-port", str(layout.ports["smsc_http"])),
            SMPP_SYSTEM_ID=SMPP_SYSTEM_ID,
            SMPP_PASSWORD=layout.keys["smpp"],
        ),
        program("mail_server", "mail", *("--http-port", str(layout.ports["mail_http"]))),
    ]


def _services(layout: Layout) -> list[Program]:
    commands = {
        **{name: [sys.executable, "-m", "shared.run", name] for name in SERVICES},
        "gateway": [sys.executable, "-m", "services.gateway"],
    }
    return [Program(name, command, layout.environment(name)) for name, command in commands.items()]
