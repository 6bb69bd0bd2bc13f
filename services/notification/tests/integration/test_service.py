"""The service as a process: events in, messages out over SMPP and SMTP, each once, whatever is killed."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from deploy.native.instance import Instance
from deploy.stand_ins.tests.conftest import Program
from services.notification.service import NotificationService
from services.notification.tests.unit.examples import issued, otp_requested
from shared.database import written
from shared.events.envelope import Event
from shared.messaging import topology
from shared.messaging.calls import RpcClient
from shared.messaging.connection import Link
from shared.messaging.publisher import Outcome, Publisher
from shared.messaging.relay import outgoing
from shared.sealed import Sealer, generate_keypair
from shared.testing.processes import ServiceProcess, until
from tests.fixtures import migrate

KEYS = generate_keypair()
SEALER = Sealer({"notification": KEYS.public})
SECONDS = 20.0
KILLS = 3
IN_FLIGHT = 16
"""Messages that one process has on their way at once: the workers of both jobs."""

SETTLED = """
SELECT count(*) AS rows FROM message
WHERE cause_event_id = ANY(%(causes)s) AND (state IN ('sent', 'delivered') AND channel = 'email'
      OR state = 'delivered' OR reason = 'no_answer')
"""


class Stage:
    """The process, its database and vhost, the stand-ins, and a publisher in the place of its neighbours."""

    def __init__(self, servers: Instance, smsc: Program, mail: Program, log: Path) -> None:
        self._servers, self.smsc, self.mail = servers, smsc, mail
        self._name = "test_notification_service"
        self._dsn = servers.database(self._name)
        migrate("notification", self._dsn)
        vhost = servers.vhost(self._name)
        topology.apply(vhost.amqp_url, vhost.management_url, [NotificationService])
        self.process = ServiceProcess(
            "notification",
            {
                "AMQP_URL": vhost.amqp_url,
                "DATABASE_URL": self._dsn,
                "SEAL_PRIVATE": KEYS.private,
                "SMPP_HOST": "127.0.0.1",
                "SMPP_PORT": str(smsc.port),
                "SMPP_SYSTEM_ID": "vssid",
                "SMPP_PASSWORD": "secret12",
                "SMPP_RESPONSE_SECONDS": "2",
                "RECEIPT_WAIT_SECONDS": "3",
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(mail.port),
                "MAIL_FROM": "no-reply@vssid.example",
                "ACTIVATION_URL": "https://vssid.example/activation",
            },
            log,
        )
        self._link = Link(vhost.amqp_url, "test-publisher")
        self._publisher = Publisher(self._link)
        self._link.start()
        assert self._link.wait_up(5.0)
        self.client = RpcClient(vhost.amqp_url, "test-client")
        self.client.start()
        self.process.start()
        self.process.wait_ready()

    def down(self) -> None:
        self.client.stop()
        self._link.stop()
        self.process.kill()
        self._servers.drop_vhost(self._name)
        self._servers.drop_database(self._name)

    def publish(self, *events: Event) -> None:
        outcomes = self._publisher.publish([outgoing(written(event)) for event in events], 5.0)
        assert set(outcomes) == {Outcome.CONFIRMED}

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self._dsn, row_factory=dict_row, autocommit=True) as connection:
            return connection.execute(sql.encode(), params).fetchall()

    def states(self, event: Event) -> dict[str, str]:
        rows = self.rows("SELECT channel, state FROM message WHERE cause_event_id = %(id)s", id=event.id)
        return {row["channel"]: row["state"] for row in rows}

    def until_states(self, event: Event, within_seconds: float = SECONDS, **wanted: str) -> None:
        until(
            lambda: self.states(event) == wanted,
            within_seconds,
            lambda: f"wanted {wanted}, found {self.states(event)}:\n{self.process.tail(12)}",
        )


@pytest.fixture(scope="module")
def stage(
    servers: Instance, smsc_program: Program, mail_program: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    stage = Stage(servers, smsc_program, mail_program, tmp_path_factory.mktemp("notification") / "log")
    yield stage
    stage.down()


@pytest.fixture(autouse=True)
def well_behaved(stage: Stage, smsc: Program, mail: Program) -> None:
    """The stand-ins without faults, before and after; the process is up."""
    if not stage.process.running:
        stage.process.start()
        stage.process.wait_ready()


def credentials(number: int = 0, **changes: Any) -> Event:
    """Credentials issued to somebody new."""
    unique = f"{uuid.uuid4().int % 10**7:07}{number % 100:02}"
    changes = {
        "registration_id": uuid.uuid4(),
        "code": f"0{unique}",
        "channels": [
            {"kind": "sms", "to": f"+84{unique}"},
            {"kind": "email", "to": f"thu.{unique}@example.org"},
        ],
        "sealed_secret": SEALER.seal("notification", f"Mat-{unique}"),
        "valid_until": datetime.now(UTC) + timedelta(hours=72),
    } | changes
    return issued(**changes)


def to(event: Event, kind: str) -> str:
    return next(channel["to"] for channel in event.data["channels"] if channel["kind"] == kind)


@pytest.mark.proves("G12")
def test_credentials_reach_the_phone_with_and_the_mailbox_without_the_password(stage: Stage) -> None:
    event = credentials()
    stage.publish(event)
    stage.until_states(event, sms="delivered", email="sent")
    (sms,) = stage.smsc.messages(to=to(event, "sms").lstrip("+"))
    password = password_of(event)
    assert f"Tai khoan: {event.data['code']} / Mat khau: {password} " in sms["text"]
    assert (sms["parts"], sms["data_coding"]) == (1, 0)
    (mail,) = stage.mail.messages(to=to(event, "email"))
    assert mail["purpose"] == "instructions"
    assert event.data["code"] in mail["text"]
    assert password not in mail["text"] + mail["html"] + mail["subject"]
    assert stage.rows("SELECT 1 FROM message WHERE sealed_secret IS NOT NULL") == []


def password_of(event: Event) -> str:
    """What the credential's box holds, opened with notification's key."""
    return Sealer({}, KEYS.private).open(event.data["sealed_secret"])


def test_an_otp_reaches_the_mailbox(stage: Stage) -> None:
    address = f"otp.{uuid.uuid4().hex}@example.org"
    event = otp_requested(
        email=address,
        sealed_otp=SEALER.seal("notification", "314159"),
        valid_until=datetime.now(UTC) + timedelta(minutes=10),
    )
    stage.publish(event)
    stage.until_states(event, email="sent")
    (mail,) = stage.mail.messages(to=address)
    assert "314159" in mail["text"]
    (message,) = stage.rows("SELECT id FROM message WHERE cause_event_id = %(id)s", id=event.id)
    assert mail["message_id"] == f"<{message['id']}@vssid.example>"


def test_an_event_delivered_five_times_is_one_message(stage: Stage) -> None:
    event = credentials()
    stage.publish(*[event] * 5)
    stage.until_states(event, sms="delivered", email="sent")
    assert len(stage.smsc.messages(to=to(event, "sms").lstrip("+"))) == 1
    assert len(stage.mail.messages(to=to(event, "email"))) == 1


def test_a_throttling_smsc_is_asked_again_until_it_takes_the_message_once(stage: Stage) -> None:
    stage.smsc.control(refuse_status=88)
    event = credentials()
    stage.publish(event)
    until(
        lambda: stage.rows("SELECT 1 FROM attempt WHERE outcome = 'declined' AND reason = 'smsc_status_88'"),
        SECONDS,
        "no attempt was declined",
    )
    stage.smsc.control(refuse_status=0)
    stage.until_states(event, sms="delivered", email="sent")
    assert len(stage.smsc.messages(to=to(event, "sms").lstrip("+"))) == 1


def test_an_answer_that_never_comes_is_settled_by_the_receipt_and_nothing_is_resent(stage: Stage) -> None:
    stage.smsc.control(withhold_responses=True)
    event = credentials()
    stage.publish(event)
    stage.until_states(event, sms="unknown", email="sent")
    stage.smsc.control(withhold_responses=False)
    stage.until_states(event, sms="delivered", email="sent")
    assert len(stage.smsc.messages(to=to(event, "sms").lstrip("+"))) == 1


def test_an_answer_that_never_comes_nor_a_receipt_is_reported_failed(stage: Stage) -> None:
    stage.smsc.control(withhold_responses=True, receipts=False)
    event = credentials()
    stage.publish(event)
    reported = "SELECT 1 FROM message WHERE cause_event_id = %(id)s AND reason = 'no_answer'"
    until(lambda: stage.rows(reported, id=event.id), SECONDS, "it was not reported")
    assert stage.states(event) == {"sms": "unknown", "email": "sent"}
    assert len(stage.smsc.messages(to=to(event, "sms").lstrip("+"))) == 1
    stage.smsc.control(withhold_responses=False, receipts=True)
    stage.until_states(event, sms="delivered", email="sent")  # the late receipt is still heard


def test_a_lost_mail_connection_after_the_dot_is_not_sent_again(stage: Stage) -> None:
    stage.mail.control(cut_after_accept=True)
    event = credentials()
    stage.publish(event)
    stage.until_states(event, sms="delivered", email="unknown")
    stage.mail.control(cut_after_accept=False)
    time.sleep(2.0)
    assert len(stage.mail.messages(to=to(event, "email"))) == 1


def test_an_smsc_that_does_not_answer_holds_up_no_email(stage: Stage) -> None:
    stage.smsc.control(withhold_responses=True)
    events = [credentials(number) for number in range(30)]
    stage.publish(*events)
    out = "SELECT count(*) AS rows FROM message WHERE cause_event_id = ANY(%(causes)s) AND state = 'sent'"
    causes = [event.id for event in events]
    until(lambda: stage.rows(out, causes=causes)[0]["rows"] == 30, SECONDS, "e-mails wait for the SMSC")
    assert stage.rows(SETTLED, causes=causes)[0]["rows"] < 60  # the SMS do still wait
    stage.smsc.control(withhold_responses=False)
    until(lambda: stage.rows(SETTLED, causes=causes)[0]["rows"] == 60, 40.0, stage.process.tail)


def test_messages_tells_states_only(stage: Stage) -> None:
    event = credentials()
    stage.publish(event)
    stage.until_states(event, sms="delivered", email="sent")
    registration_id = str(event.data["registration_id"])
    told = stage.client.call("notification", "messages", {"registration_id": registration_id}, 5.0)
    assert {(item["channel"], item["purpose"], item["state"]) for item in told["items"]} == {
        ("sms", "credentials", "delivered"),
        ("email", "instructions", "sent"),
    }
    assert event.data["code"] not in str(told)


def test_killed_again_and_again_while_sending_no_message_is_sent_twice_and_none_is_forgotten(
    stage: Stage,
) -> None:
    """What was on its way when the process died may be unknown; everything else arrives exactly once."""
    dice = random.Random(19)
    events = [credentials(number) for number in range(KILLS * 40)]
    for at in range(0, len(events), 40):
        stage.process.wait_ready()
        stage.publish(*events[at : at + 40])
        time.sleep(dice.uniform(0.05, 0.6))
        stage.process.kill()
        stage.process.start()

    causes = [event.id for event in events]
    until(lambda: stage.rows(SETTLED, causes=causes)[0]["rows"] == 2 * len(events), 60.0, stage.process.tail)
    texts = Counter(message["to"] for message in stage.smsc.messages())
    mails = Counter(message["to"] for message in stage.mail.messages())
    for event in events:
        states = stage.states(event)
        sms, mail = texts[to(event, "sms").lstrip("+")], mails[to(event, "email")]
        assert sms == (1 if states["sms"] == "delivered" else 0), (states, sms)
        assert mail == 1 if states["email"] == "sent" else mail <= 1, (states, mail)
    log = stage.process.log.read_text()
    private = [(to(event, "sms")[3:], to(event, "email"), password_of(event)) for event in events]
    assert not [word for words in private for word in words if word in log]
    unknown = [state for event in events for state in stage.states(event).values() if state == "unknown"]
    assert len(unknown) <= KILLS * IN_FLIGHT
