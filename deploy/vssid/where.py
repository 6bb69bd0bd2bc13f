"""Knows where the things of an installation are: from a native one's folder, else from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import click

from deploy.vssid.told import told
from shared import settings
from shared.database import Committed, Database, Transaction
from shared.messaging.topology import SERVICES, TopologySettings
from shared.object_settings import S3Settings

Wanted = TypeVar("Wanted", bound=settings.FromEnvironment)

PROCESSES = (*SERVICES, "gateway")
RELEASE = "UPDATE outbox SET due_at = now() WHERE id = ANY(%(ids)s::uuid[])"


def _database(service: str) -> str:
    help = f"Database of {service}: postgresql://user:password@host:port/name."
    value: str = field(metadata={"help": help, "secret": True})
    return value


@dataclass(frozen=True)
class BrokerSettings(TopologySettings):
    """The broker, as its administrator."""


@dataclass(frozen=True)
class DatabaseSettings(settings.FromEnvironment):
    """The four databases; an operator's alone, never a service's."""

    registration_database_url: str = _database("registration")
    identity_database_url: str = _database("identity")
    notification_database_url: str = _database("notification")
    history_database_url: str = _database("history")

    def of(self, service: str) -> str:
        """The address of one."""
        address: str = getattr(self, f"{service}_database_url")
        return address


@dataclass(frozen=True)
class AuditSettings(settings.FromEnvironment):
    """Where it is written down who did what."""

    audit_file: str = field(metadata={"help": "File to which a line is added for each act of an operator."})


@dataclass(frozen=True)
class TrailSettings(settings.FromEnvironment):
    """What verifying identity's audit trail needs."""

    audit_anchors_dir: str = field(metadata={"help": "Folder of the audit trail's anchors, or of a copy."})
    audit_public_keys: str = field(metadata={"help": "Keys that verify anchors: a JWKS, JSON."})


@dataclass(frozen=True)
class EpochSettings(TrailSettings):
    """What another epoch of it needs besides."""

    audit_signing_key: str = field(metadata={"help": "Private Ed25519 key as a JWK with its kid, JSON."})


@dataclass(frozen=True)
class DoctorSettings(settings.FromEnvironment):
    """What the doctor looks at besides broker and databases, where it is known."""

    token_signing_key: str = field(default="", metadata={"help": "Private key as a JWK, JSON."})
    token_public_keys: str = field(default="", metadata={"help": "A JWKS, JSON.", "secret": False})
    redis_url: str = field(default="", metadata={"help": "Redis, where it is known."})
    database_pool_size: int = field(
        default=10, metadata={"help": "Database connections of one replica, at the most.", "least": 2}
    )


def _ops_page(process: str) -> str:
    help = f"Where {process} answers on its ops port, where it is known: http://host:port."
    value: str = field(default="", metadata={"help": help})
    return value


@dataclass(frozen=True)
class ProcessSettings(settings.FromEnvironment):
    """Where each process says whether it is ready. A name with several addresses is several replicas."""

    registration_ops_url: str = _ops_page("registration")
    identity_ops_url: str = _ops_page("identity")
    notification_ops_url: str = _ops_page("notification")
    history_ops_url: str = _ops_page("history")
    gateway_ops_url: str = _ops_page("gateway")

    def of(self, process: str) -> str:
        """The page of one, empty where it is not known."""
        page: str = getattr(self, f"{process}_ops_url")
        return page


@dataclass(frozen=True)
class ObjectSettings(S3Settings):
    """Where photos lie."""

    objects_dir: str = field(default="", metadata={"help": "The object folder, where it is on this host."})


@dataclass(frozen=True)
class OutsideSettings(ObjectSettings):
    """Outside parties and the object store, as the services are told, where they are known."""

    smpp_host: str = field(default="", metadata={"help": "Host of the SMSC."})
    smpp_port: int = field(default=0, metadata={"help": "SMPP port of the SMSC.", "least": 0, "most": 65535})
    smtp_host: str = field(default="", metadata={"help": "Host of the mail server."})
    smtp_port: int = field(default=0, metadata={"help": "SMTP port of it.", "least": 0, "most": 65535})
    smtp_starttls: bool = field(default=False, metadata={"help": "Whether to insist on TLS."})
    population_register_url: str = field(
        default="", metadata={"help": "Base URL of the population register."}
    )


def load(wanted: type[Wanted]) -> Wanted:
    """These settings. Ends with a sentence about what is missing."""
    try:
        return settings.load(wanted, environment())
    except settings.SettingsInvalid as wrong:
        hint = "Or name a native installation: RUN=.run vssid …"
        raise click.UsageError(f"{wrong}\n{hint}") from None


def environment(environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The settings: RUN's, when it names the folder of a native installation, else those given."""
    run = environ.get("RUN")
    return told(_folder(run)) if run else environ


def native_folder() -> Path | None:
    """The folder of the native installation, if it is one."""
    run = os.environ.get("RUN")
    return _folder(run) if run else None


def _folder(run: str) -> Path:
    folder = Path(run).resolve()
    if not (folder / "ports.json").exists():
        raise click.UsageError(f"there is no installation in RUN={run}; `make up` makes one")
    return folder


class Databases:
    """Transactions on each of the databases."""

    def __init__(self, opened: Mapping[str, Database]) -> None:
        self._opened = opened

    @contextmanager
    def transaction(self, service: str) -> Iterator[Transaction]:
        """As the service's own. Its events are left to the service's sweeper, which may take them at once."""
        with self._opened[service].transaction() as tx:
            yield tx


@contextmanager
def databases(*services: str) -> Iterator[Databases]:
    """Those of ``services``, by default all."""
    wanted = load(DatabaseSettings)
    with ExitStack() as ending:
        opened = {}
        for service in services or SERVICES:
            database = opened[service] = Database(wanted.of(service), name="vssid-operator", max_size=2)
            database.open()
            ending.callback(database.close)
            database.after_commit.append(lambda committed, of=database: _release(of, committed))
        yield Databases(opened)


def _release(database: Database, committed: Committed) -> None:
    """Nobody here publishes directly, so the sweeper need not wait for that."""
    if committed.events:
        with database.transaction() as tx:
            tx.run(RELEASE, {"ids": [event.id for event in committed.events]})
