"""The running service for tests: on a database, a vhost and an object folder of its own, with an identity
that answers as told and a queue that hears every event."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amqp
import psycopg
from psycopg.rows import dict_row

from deploy.native.instance import Instance
from services.registration.domain import Registration
from services.registration.service import RegistrationService, hash_of
from services.registration.storage import Storage
from services.registration.tests.examples import form
from shared.database import Transaction
from shared.events.envelope import Event, EventType
from shared.messaging import topology
from shared.messaging.calls import RpcClient
from shared.objects import FolderObjects
from shared.sealed import Sealer, generate_keypair
from shared.sealed_objects import SealedObjects
from shared.testing.exchange import Exchange, channel_on
from shared.testing.processes import ServiceProcess, until
from tests.fixtures import migrate

NAME = f"registration_office_{os.getpid()}"


class Office:
    """Callers, keys, photos, events in and out."""

    def __init__(self, servers: Instance, folder: Path) -> None:
        self._servers = servers
        self.dsn = servers.database(NAME)
        migrate("registration", self.dsn)
        self.vhost = servers.vhost(NAME)
        topology.apply(self.vhost.amqp_url, self.vhost.management_url, [RegistrationService])
        self.object_keys = {place: generate_keypair() for place in ("quarantine", "photos")}
        self.objects = SealedObjects(
            FolderObjects(folder / "objects"),
            public={"quarantine": self.object_keys["quarantine"].public},
            private={"photos": self.object_keys["photos"].private},
        )
        self.keys = {name: generate_keypair() for name in ("registration", "gateway", "notification")}
        public = {name: pair.public for name, pair in self.keys.items()}
        self.gateway = Sealer(public, self.keys["gateway"].private)
        self.notification = Sealer(public, self.keys["notification"].private)
        environment = {
            "AMQP_URL": self.vhost.amqp_url,
            "DATABASE_URL": self.dsn,
            "REDIS_URL": servers.environment("registration")["REDIS_URL"],
            "OBJECTS_DIR": str(folder / "objects"),
            "QUARANTINE_PRIVATE": self.object_keys["quarantine"].private,
            "PHOTOS_PUBLIC": self.object_keys["photos"].public,
            "CHECK_SECONDS": "1.5",
            "CHECK_ADDRESS_LIMIT": "100000/hour",
            "TAKEN_ADDRESS_LIMIT": "100000/hour",
            "CHECK_NUMBER_LIMIT": "100000/hour",  # everybody shows the same document
            "SEAL_PRIVATE": self.keys["registration"].private,
            **{f"SEAL_PUBLIC_{name.upper()}": key for name, key in public.items()},
        }
        self.process = ServiceProcess("registration", environment, folder / "registration.log")
        self.client = RpcClient(self.vhost.amqp_url, "test-registration")
        self.identity = Identity(self.vhost.amqp_url)
        self.exchange = Exchange(self.vhost.amqp_url)

    def up(self) -> None:
        self.identity.start()
        self.process.start()
        self.process.wait_ready()
        self.client.start()
        self.exchange.start()

    def down(self) -> None:
        self.client.stop()
        self.exchange.stop()
        self.identity.stop()
        self.process.kill()
        self._servers.drop_vhost(NAME)
        self._servers.drop_database(NAME)

    # -- calls --

    def call(self, method: str, /, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
        return self.client.call(
            "registration", method, kwargs, deadline_seconds=30.0, idempotency_key=idempotency_key
        )

    def start(self) -> Applicant:
        reply = self.call("start", language="vi")
        return Applicant(self, reply["id"], self.gateway.open(reply["sealed_resume_token"]))

    def keep(self, registration: Registration) -> Applicant:
        """A registration put straight into the database, at whatever stage."""
        token = uuid.uuid4().hex
        with self.transaction() as tx:
            storage = Storage(tx)
            storage.add(Registration(id=registration.id, language="vi", token_hash=hash_of(token)))
            storage.save(registration)
        return Applicant(self, str(registration.id), token)

    def upload(self, content: bytes) -> dict[str, Any]:
        """As the gateway does it: into quarantine."""
        stored = self.objects.put(content, prefix="quarantine", max_bytes=64 * 1024 * 1024)
        return {"ref": stored.ref, "sha256": stored.sha256, "size_bytes": stored.size_bytes}

    # -- the database --

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            yield Transaction(connection)

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        with self.transaction() as tx:
            return tx.all(sql, params)

    # -- events --

    def tell(self, event_type: EventType, registration_id: str, times: int = 1, **data: Any) -> Event:
        """Publish what another service would say about a registration."""
        event = event_type.event(
            subject=registration_id,
            correlation_id=registration_id,
            at=datetime.now(UTC),
            data={"registration_id": registration_id, **data},
        )
        self.exchange.publish(event, times=times)
        return event

    def told(self, event_type: str, registration_id: str) -> list[dict[str, Any]]:
        """The data of every event of this type about this registration, as JSON."""
        return self.exchange.told(event_type, "registration_id", registration_id)

    def until_told(self, event_type: str, registration_id: str, count: int = 1) -> list[dict[str, Any]]:
        until(
            lambda: len(self.told(event_type, registration_id)) >= count,
            20,
            lambda: f"{event_type} was not told\n{self.process.tail(12)}",
        )
        return self.told(event_type, registration_id)


class Applicant:
    """A citizen's end of one registration: its id and its resume token."""

    def __init__(self, office: Office, registration_id: str, token: str) -> None:
        self.office = office
        self.id = registration_id
        self.token = token

    def call(self, method: str, /, **kwargs: Any) -> Any:
        sealed = self.office.gateway.seal("registration", self.token)
        return self.office.call(method, registration_id=self.id, sealed_resume_token=sealed, **kwargs)

    def declare(self, **changes: Any) -> dict[str, Any]:
        view: dict[str, Any] = self.call("save_declaration", declaration=form(**changes))
        return view

    def attach(self, kind: str, content: bytes) -> dict[str, Any]:
        view: dict[str, Any] = self.call("attach_photo", kind=kind, **self.office.upload(content))
        return view

    def read_otp(self, count: int = 1) -> str:
        """The newest code, as notification reads it."""
        events = self.office.until_told("registration.email_otp_requested.v1", self.id, count)
        return self.office.notification.open(events[-1]["sealed_otp"])

    def confirm(self, otp: str) -> dict[str, Any]:
        sealed = self.office.gateway.seal("registration", otp)
        view: dict[str, Any] = self.call("confirm_email_otp", sealed_otp=sealed)
        return view

    def submit(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("submit", consent_version="2026-01")
        return answer

    def steps(self) -> list[str]:
        return [entry["step"] for entry in self.call("timeline")["entries"]]

    def next_until(self) -> tuple[str, datetime | None]:
        """What comes next, and until when."""
        told = self.call("timeline")["next"]
        return told["step"], told["until"] and datetime.fromisoformat(told["until"])

    def until_status(self, status: str) -> None:
        until(lambda: self.call("get")["status"] == status, 20, lambda: f"never {status}: {self.steps()}")


class Identity:
    """Answers ``identity.check_citizen`` over the broker with ``outcome``; with None it stays silent."""

    def __init__(self, amqp_url: str) -> None:
        self.outcome: str | None = "matched"
        self.asked: list[dict[str, Any]] = []
        self._amqp_url = amqp_url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _serve(self) -> None:
        with channel_on(self._amqp_url) as channel:
            channel.queue_declare("rpc-identity", durable=True, auto_delete=False)
            channel.queue_bind("rpc-identity", topology.RPC, "identity.*")
            channel.basic_consume("rpc-identity", no_ack=True, callback=lambda m: self._answer(channel, m))
            while not self._stopping.is_set():
                try:
                    channel.connection.drain_events(timeout=0.2)
                except TimeoutError:
                    continue

    def _answer(self, channel: amqp.Channel, message: amqp.Message) -> None:
        self.asked.append(json.loads(message.body)["kwargs"])
        if self.outcome is None:
            return
        body = json.dumps({"result": {"outcome": self.outcome}, "error": None})
        reply = amqp.Message(body, correlation_id=message.correlation_id, content_type="application/json")
        channel.basic_publish(reply, topology.RPC, message.reply_to)
