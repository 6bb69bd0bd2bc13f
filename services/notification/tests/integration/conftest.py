"""The stand-ins of the SMSC and the mail server, each a program of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from deploy.native.instance import Instance
from deploy.stand_ins.tests.conftest import Program, Start, eventually, start
from services.notification.domain import Receipt
from services.notification.email import EmailChannel, MailServer
from services.notification.smpp_link import Smsc
from services.notification.sms import SmsChannel
from tests.fixtures import migrate

__all__ = ["eventually", "start"]


@pytest.fixture(scope="module")
def smsc_program(start: Start) -> Program:
    return start("smsc", "--system-id", "vssid", "--password", "secret12")


@pytest.fixture
def smsc(smsc_program: Program) -> Iterator[Program]:
    if smsc_program.process.poll() is not None:
        smsc_program.start()
    yield smsc_program.looking_from_now_on()
    smsc_program.control(
        refuse_status=0,
        delay_seconds=0,
        withhold_responses=False,
        cut_after_accept=False,
        receipts=True,
        receipt_delay_seconds=0.1,
        receipt_stat="DELIVRD",
    )


@pytest.fixture(scope="module")
def mail_program(start: Start) -> Program:
    return start("mail_server")


@pytest.fixture
def mail(mail_program: Program) -> Iterator[Program]:
    yield mail_program.looking_from_now_on()
    mail_program.control(
        refuse_code=0, refuse_at="data", delay_seconds=0, withhold_replies=False, cut_after_accept=False
    )


@dataclass
class Phone:
    """A channel bound to the SMSC, the receipts it was handed, and how often an attempt was begun."""

    channel: SmsChannel
    receipts: list[Receipt] = field(default_factory=list)
    begun: int = 0

    def begin(self) -> None:
        self.begun += 1


@pytest.fixture
def phone(smsc: Program) -> Iterator[Phone]:
    address = Smsc("127.0.0.1", smsc.port, "vssid", "secret12", "VSSID", 1.0, 0.6)
    receipts: list[Receipt] = []
    channel = SmsChannel(address, receipts.extend)
    channel.start()
    yield Phone(channel, receipts)
    channel.stop()


@pytest.fixture
def post(mail: Program) -> EmailChannel:
    return EmailChannel(MailServer("127.0.0.1", mail.port, "VssID <no-reply@vssid.example>", seconds=1.0))


@pytest.fixture(scope="module")
def module_database(servers: Instance) -> Iterator[Callable[[str], str]]:
    """As ``database``, for all tests of a module."""
    made: list[str] = []

    def make(service: str) -> str:
        name = f"test_{service}_module_{os.getpid()}_{len(made)}"
        made.append(name)
        dsn = servers.database(name)
        migrate(service, dsn)
        return dsn

    yield make
    for name in made:
        servers.drop_database(name)
