"""Knows an installation: its folder, ports, secrets and addresses, and what each process is told."""

from dataclasses import dataclass
from pathlib import Path

from deploy.native import machine, site
from deploy.native.keys import PROCESSES, WITH_DATABASE, Keys

ROOT = machine.ROOT
SERVERS = ("rabbitmq", "postgres", "redis")
STAND_INS = ("population_register", "smsc", "mail_server")
SERVICES = ("registration", "identity", "notification", "history")
VHOST = "vssid"
SMPP_SYSTEM_ID = "vssid"
DEFAULTS = {
    "LOG_LEVEL": "INFO",
    "CHECK_ADDRESS_LIMIT": "100000/hour",  # everybody comes from this machine
    "TAKEN_ADDRESS_LIMIT": "100000/hour",
    "FIRST_PASSWORD_PAUSES": "0.01",  # of a stand-in's phone, which is never off
}
"""What is otherwise here than in settings.md, unless the site says it."""


@dataclass(frozen=True)
class Layout:
    """Where everything of one installation is. `run` is absolute; `ports` maps a name to a loopback port.

    `servers_root` is the root of the Debian that RabbitMQ, PostgreSQL and Redis come from.
    """

    run: Path
    ports: dict[str, int]
    keys: Keys
    servers_root: Path = Path("/")

    def http(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    @property
    def objects_dir(self) -> Path:
        return self.run / "objects"

    @property
    def audit_anchors_dir(self) -> Path:
        return self.run / "audit_anchors"

    @property
    def citizens_file(self) -> Path:
        return self.run / "stand_ins" / "population_register" / "citizens.jsonl"

    def amqp_url(self, user: str, vhost: str = VHOST) -> str:
        """The broker, as one of its users: a process of the product, or ``admin``."""
        return f"amqp://{user}:{self.keys[f'amqp_{user}']}@127.0.0.1:{self.ports['amqp']}/{vhost}"

    @property
    def amqp_management_url(self) -> str:
        return f"http://admin:{self.keys['amqp_admin']}@127.0.0.1:{self.ports['amqp_management']}"

    def database_url(self, service: str) -> str:
        return self._dsn(service, self.keys[f"postgres_{service}"], service)

    def admin_database_url(self, database: str = "postgres") -> str:
        return self._dsn("postgres", self.keys["postgres_admin"], database)

    def _dsn(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.ports['postgres']}/{database}"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.keys['redis']}@127.0.0.1:{self.ports['redis']}/0"

    def environment(self, service: str) -> dict[str, str]:
        """The settings of one process, and no other process's secrets.

        What the site sets counts, but for addresses and secrets inside, which are the installation's own.
        Raises NotReady when a line of its file is no setting.
        """
        read = site.names(service)
        chosen = DEFAULTS | site.settings(self.run)
        return {
            **{name: value for name, value in chosen.items() if name in read},
            "PYTHONPATH": str(ROOT),
            "MALLOC_ARENA_MAX": "2",  # else glibc keeps 19 MiB for each thread that ever hashed a password
            "AMQP_URL": self.amqp_url(service),
            "OPS_HOST": "127.0.0.1",
            "OPS_PORT": str(self.ports[f"ops_{service}"]),
            "SEAL_PRIVATE": self.keys[f"seal_{service}"],
            **{f"SEAL_PUBLIC_{name.upper()}": self.keys.seal_public(name) for name in PROCESSES},
            **({"DATABASE_URL": self.database_url(service)} if service in WITH_DATABASE else {}),
            **getattr(self, f"_{service}_environment")(),
        }

    def _registration_environment(self) -> dict[str, str]:
        return {
            "REDIS_URL": self.redis_url,
            "OBJECTS_DIR": str(self.objects_dir),
            "QUARANTINE_PRIVATE": self.keys.objects_private("quarantine"),
            "PHOTOS_PUBLIC": self.keys.seal_public("photos"),
        }

    def _identity_environment(self) -> dict[str, str]:
        return {
            "REDIS_URL": self.redis_url,
            "OBJECTS_DIR": str(self.objects_dir),
            "PHOTOS_PRIVATE": self.keys.objects_private("photos"),
            "POPULATION_REGISTER_URL": self.http("register"),
            "POPULATION_REGISTER_TOKEN": self.keys["register_token"],
            "TOKEN_SIGNING_KEY": self.keys["token_signing"],
            "TOKEN_PUBLIC_KEYS": self.keys.token_public_keys(),
            "AUDIT_ANCHORS_DIR": str(self.audit_anchors_dir),
            "AUDIT_SIGNING_KEY": self.keys["audit_signing"],
            "AUDIT_PUBLIC_KEYS": self.keys.audit_public_keys(),
        }

    def _notification_environment(self) -> dict[str, str]:
        return {
            "SMPP_HOST": "127.0.0.1",
            "SMPP_PORT": str(self.ports["smsc"]),
            "SMPP_SYSTEM_ID": SMPP_SYSTEM_ID,
            "SMPP_PASSWORD": self.keys["smpp"],
            "SMPP_SENDER": "VSSID",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.ports["mail"]),
            "MAIL_FROM": "no-reply@vssid.example",
            "ACTIVATION_URL": f"{self.http('gateway')}/activation",
        }

    def _history_environment(self) -> dict[str, str]:
        return {"TOKEN_PUBLIC_KEYS": self.keys.token_public_keys()}

    def _gateway_environment(self) -> dict[str, str]:
        return {
            "OBJECTS_DIR": str(self.objects_dir),
            "QUARANTINE_PUBLIC": self.keys.seal_public("quarantine"),
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.ports["gateway"]),
        }

    def endpoints(self) -> dict[str, object]:
        """Where each thing listens, for people and for tests; holds the passwords of this installation."""
        return {
            "gateway": self.http("gateway"),
            "ops": {name: self.http(f"ops_{name}") for name in (*SERVICES, "gateway")},
            "sms": self.http("smsc_http") + "/messages",
            "mail": self.http("mail_http") + "/messages",
            "register": self.http("register"),
            "register_citizens_file": str(self.citizens_file),
            "amqp": self.amqp_url("admin"),
            "amqp_management": self.amqp_management_url,
            "amqp_metrics": self.http("amqp_metrics") + "/metrics",
            "postgres": self.admin_database_url(),
            "redis": self.redis_url,
            "databases": {name: self.database_url(name) for name in WITH_DATABASE},
            "objects_dir": str(self.objects_dir),
            "run": str(self.run),
        }
