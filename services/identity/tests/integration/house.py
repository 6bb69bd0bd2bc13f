"""The running service for tests: on a database and a vhost of its own, with a register that obeys."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from joserfc.jwk import KeySet, OKPKey
from psycopg.rows import dict_row

from deploy.native.instance import Instance
from services.identity import totp
from services.identity.domain import StaffAccount
from services.identity.parts import now
from services.identity.passwords import Passwords
from services.identity.service import IdentityService
from services.identity.storage import Storage
from services.identity.tests.register_server import RegisterServer
from services.identity.tests.unit import samples
from shared.database import Transaction
from shared.events import registration as registration_events
from shared.messaging import topology
from shared.messaging.calls import RpcClient
from shared.objects import FolderObjects
from shared.sealed import Sealer, generate_keypair
from shared.sealed_objects import SealedObjects
from shared.testing.exchange import Exchange
from shared.testing.processes import ServiceProcess, until
from tests.fixtures import migrate

NAME = f"identity_house_{os.getpid()}"
"""Of this process: others run files of this folder beside it."""

STAFF_PASSWORD, ENROLMENT_CODE = "the password of the officer", "NBSW-Y3DP-O53X-E3DE"


@contextmanager
def transaction_on(dsn: str, keep: bool = True) -> Iterator[Transaction]:
    """A transaction of the test's own: committed, or rolled back when not ``keep``."""
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        yield Transaction(connection)
        if not keep:
            connection.rollback()


class House:
    """What the tests of the running service need: callers, keys, events in and out."""

    def __init__(self, servers: Instance, folder: Path, name: str = NAME, **settings: str) -> None:
        self._servers = servers
        self._name, self._settings = name, settings
        self.dsn = servers.database(name)
        migrate("identity", self.dsn)
        self.vhost = servers.vhost(name)
        topology.apply(self.vhost.amqp_url, self.vhost.management_url, [IdentityService])
        self.exchange = Exchange(self.vhost.amqp_url)
        self.register = RegisterServer()
        self.keys = {name: generate_keypair() for name in ("identity", "gateway", "notification")}
        public = {name: pair.public for name, pair in self.keys.items()}
        self.gateway = Sealer(public, self.keys["gateway"].private)
        self.notification = Sealer(public, self.keys["notification"].private)
        self.signing = OKPKey.generate_key("Ed25519", parameters={"kid": "test"})
        self.anchors_dir = folder / "anchors"
        photos = generate_keypair()
        self.photos = SealedObjects(FolderObjects(folder / "objects"), public={"photos": photos.public})
        self.photos_private = photos.private
        self.process = ServiceProcess("identity", self._environment(), folder / "identity.log")
        self.client = RpcClient(self.vhost.amqp_url, "test-identity")

    def up(self) -> None:
        self.process.start()
        self.process.wait_ready()
        self.client.start()
        self.exchange.start()

    def down(self) -> None:
        self.client.stop()
        self.exchange.stop()
        self.process.kill()
        self.register.stop()
        self._servers.drop_vhost(self._name)
        self._servers.drop_database(self._name)

    def _environment(self) -> dict[str, str]:
        return {
            "AMQP_URL": self.vhost.amqp_url,
            "DATABASE_URL": self.dsn,
            "REDIS_URL": self._servers.environment("identity")["REDIS_URL"],
            "SEAL_PRIVATE": self.keys["identity"].private,
            **{f"SEAL_PUBLIC_{name.upper()}": pair.public for name, pair in self.keys.items()},
            "OBJECTS_DIR": str(self.photos.store.root),
            "PHOTOS_PRIVATE": self.photos_private,
            "POPULATION_REGISTER_URL": self.register.url,
            "POPULATION_REGISTER_TOKEN": "a-token",
            "REGISTER_FAILURES_TO_OPEN": "3",
            "REGISTER_OPEN_SECONDS": "0.5",
            "REGISTER_RETRY_SECONDS": "1",
            "FIRST_PASSWORD_PAUSES": "0.01",
            "TOKEN_SIGNING_KEY": json.dumps(self.signing.as_dict(private=True)),
            "TOKEN_PUBLIC_KEYS": json.dumps(KeySet([self.signing]).as_dict(private=False)),
            "AUDIT_ANCHORS_DIR": str(self.anchors_dir),
            "AUDIT_SIGNING_KEY": json.dumps(self.signing.as_dict(private=True)),
            "AUDIT_PUBLIC_KEYS": json.dumps(KeySet([self.signing]).as_dict(private=False)),
            "AUDIT_SEAL_SECONDS": "1",
            **self._settings,
        }

    # -- the database -----------------------------------------------------------------------------

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        with transaction_on(self.dsn) as tx:
            return tx.all(sql, params)

    def add_staff(self, user: str, agency_code: str = samples.AGENCY) -> None:
        hashed = Passwords(lambda function, *arguments: function(*arguments)).hashed(STAFF_PASSWORD)
        with transaction_on(self.dsn) as tx:
            staff = StaffAccount(
                uuid.uuid4(),
                user,
                user.title(),
                agency_code,
                hashed,
                enrolment_hash=totp.enrolment_hash(ENROLMENT_CODE),
                enrolment_until=now() + totp.ENROLMENT_LASTS,
            )
            Storage(tx).add_staff(staff, samples.NOW)

    # -- calls ------------------------------------------------------------------------------------

    def call(self, method: str, /, **kwargs: Any) -> Any:
        return self.client.call("identity", method, kwargs, deadline_seconds=60.0)

    def seal(self, secret: str) -> str:
        return self.gateway.seal("identity", secret)

    def log_in(self, user: str, password: str, address: str | None = None) -> dict[str, Any]:
        reply = self.call(
            "log_in",
            user=user,
            sealed_password=self.seal(password),
            client={"address": address or uuid.uuid4().hex},
        )
        return {**reply, "token": self.gateway.open(reply["sealed_access_token"])}

    def change_password(self, token: str, old: str, new: str) -> dict[str, Any]:
        reply = self.call(
            "change_password",
            sealed_token=self.seal(token),
            sealed_old_password=self.seal(old),
            sealed_new_password=self.seal(new),
        )
        return {**reply, "token": self.gateway.open(reply["sealed_access_token"])}

    def staff_token(self, user: str) -> str:
        reply = self.call("staff_log_in", user=user, sealed_password=self.seal(STAFF_PASSWORD))
        return self.gateway.open(reply["sealed_staff_token"])

    # -- events -----------------------------------------------------------------------------------

    def submit(self, person: Any = None, *, outcome: str | None = None, **changes: Any) -> dict[str, Any]:
        """Publish an application; with ``outcome`` the register is asked first, as registration does."""
        data = samples.submitted(person or new_person(), **changes)
        if outcome is not None:
            assert self.check(data)["outcome"] == outcome
        event = registration_events.SUBMITTED.event(
            subject=data["registration_id"],
            correlation_id=data["registration_id"],
            at=samples.NOW,
            data=data,
        )
        self.exchange.publish(event, times=3)
        self.case_of(data)
        return data

    def check(self, data: dict[str, Any]) -> dict[str, Any]:
        reply: dict[str, Any] = self.call(
            "check_citizen",
            request_id=str(data["register_check"]["request_id"]),
            registration_id=str(data["registration_id"]),
            purpose="registration",
            personal_number=data["person"]["personal_number"],
            document=data["document"],
            full_name=data["person"]["full_name"],
            birth=data["person"]["birth"],
        )
        return reply

    def case_of(self, data: dict[str, Any]) -> str:
        """The id of the case that the application became."""
        registration_id = data["registration_id"]
        sql = "SELECT id FROM cases WHERE registration_id = %(registration_id)s"
        self.until(lambda: self.rows(sql, registration_id=registration_id), "the case was not opened")
        return str(self.rows(sql, registration_id=registration_id)[0]["id"])

    def told(self, event_type: str, registration_id: object = None, account_id: object = None) -> list[Any]:
        """The data of every event of this type about this registration or account, as JSON."""
        if registration_id:
            return self.exchange.told(event_type, "registration_id", str(registration_id))
        return self.exchange.told(event_type, "account_id", str(account_id))

    def until_told(self, event_type: str, registration_id: object, count: int = 1) -> list[Any]:
        self.until(lambda: len(self.told(event_type, registration_id)) >= count, f"{event_type} was not told")
        return self.told(event_type, registration_id)

    def until(self, condition: Callable[[], object], failure: str, within_seconds: float = 20.0) -> None:
        until(lambda: bool(condition()), within_seconds, lambda: f"{failure}\n{self.process.tail(12)}")


_people = iter(range(1, 10**6))
_RUN = int(time.time()) % 10**5


def new_person(**changes: Any) -> Any:
    """Somebody that no other test uses."""
    number = next(_people)
    values = {
        "code": f"{_RUN:05}{number:05}",
        "document_number": f"0011{_RUN:05}{number:03}",
        "phone": f"+849{number:08}",
        "email": f"thu{number}@example.com",
    }
    return samples.applicant(**{**values, **changes})
