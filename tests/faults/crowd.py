"""A crowd on its way through the whole product, a few at a time, and the ledger of what it was told."""

from __future__ import annotations

import itertools
import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from deploy.demo.journey import Journey, travel
from deploy.demo.world import Installation, prepare
from shared.testing.citizen_client import CitizenClient
from shared.testing.citizens import Citizen
from shared.testing.inbox import Inbox
from shared.testing.ledger import Ledger


def new_seed() -> int:
    """Another crowd each time, and printed; ``SEED=…`` brings one back."""
    seed = int(os.environ.get("SEED", secrets.randbelow(2**31)))
    print(f"seed {seed}")
    return seed


class PatientInbox(Inbox):
    """Waits through the killing of whoever sends."""

    def wait_for_otp(
        self, address: str, seconds: float = 25.0, *, purpose: str = "email_otp", count: int = 1
    ) -> str:
        """As ``Inbox``; sooner another code is asked for."""
        return super().wait_for_otp(address, seconds, purpose=purpose, count=count)

    def wait_for_password(self, phone: str, seconds: float = 120.0, *, number: int = 1) -> str:
        """As ``Inbox``; a password may have to be replaced more than once."""
        return super().wait_for_password(phone, seconds, number=number)


class Crowd:
    """``size`` citizens known to the register, with their participation and officers at their agencies."""

    def __init__(self, product: Installation, size: int, seed: int) -> None:
        endpoints = product.endpoints()
        self.world = prepare(product, size, seed)
        self.gateway = str(endpoints["gateway"])
        self.inbox = PatientInbox(str(endpoints["sms"]), str(endpoints["mail"]))
        self.ledger = Ledger(endpoints)
        self.journeys: list[Journey] = []

    def travel(self, number: int) -> Journey:
        """One citizen goes the whole way."""
        citizen = self.world.citizens[number]
        return travel(citizen, self.world, self.gateway, self.inbox, self.ledger, lambda _stage: None)

    def verify(self, number: int) -> tuple[Citizen, CitizenClient]:
        """One citizen goes as far as the desk; the password is on its way."""
        citizen, client = self.world.citizens[number], CitizenClient(self.gateway)
        agency = self.world.agency_of(citizen)
        accepted = client.register(citizen, self.inbox.wait_for_otp, agency)
        self.accepted(citizen, accepted.registration_id, accepted.declaration_number)
        officer = self.world.officers[agency]
        told = officer.confirm(officer.find(accepted.declaration_number)["id"])
        self.ledger.decided(accepted.registration_id, told["status"])
        return citizen, client

    def accepted(self, citizen: Citizen, registration_id: str, declaration_number: str) -> None:
        """Write down what was promised."""
        self.ledger.accepted(
            registration_id,
            declaration_number,
            code=citizen.code,
            phone=citizen.phone,
            email=citizen.email,
        )

    @contextmanager
    def on_the_way(self, at_once: int, least: int) -> Iterator[None]:
        """Citizens set out, ``at_once`` at a time, until the block has ended and ``least`` have; then all
        arrive. Raises ``IndexError`` when the crowd was too small."""
        stopping, numbers = threading.Event(), itertools.count()

        def keep_going() -> None:
            while (number := next(numbers)) < least or not stopping.is_set():
                self.journeys.append(self.travel(number))

        with ThreadPoolExecutor(at_once) as together:
            walkers: list[Future[None]] = [together.submit(keep_going) for _ in range(at_once)]
            try:
                yield
            finally:
                stopping.set()
            for walker in walkers:
                walker.result()
