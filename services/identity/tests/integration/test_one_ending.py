"""Officers, the citizen, the clock and the register at one case, at once, in transactions of PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity import use_cases
from services.identity.domain import CaseStatus, Officer
from services.identity.storage import Storage
from services.identity.tests.integration.house import new_person
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import NOW
from shared.database import Database
from shared.events.envelope import Event
from shared.refusals import Refused

ENDINGS = {
    "identity.verified.v1": CaseStatus.VERIFIED,
    "identity.rejected.v1": CaseStatus.REJECTED,
    "identity.closed.v1": CaseStatus.CLOSED,
}
AT_ONCE = 16
AGENCY = "00999"
"""What is committed here stays: no other test looks at this agency."""
Act = Callable[[Storage], Any]


class Desk:
    """One agency's officers over a database, and what committed transactions have told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[Event] = []
        self.officers = [Officer(uuid4(), AGENCY) for _ in range(3)]
        with database.transaction() as tx:
            for officer in self.officers:
                Storage(tx).add_staff(samples.staff(id=officer.id, user=str(officer.id)), NOW)

    def at_once(self, acts: list[Act]) -> None:
        """Each in a transaction of its own; a refusal undoes only itself."""
        start = threading.Barrier(len(acts))

        def run(act: Act) -> None:
            start.wait()
            with suppress(Refused), self.database.transaction() as tx:
                act(Storage(tx))
                added = [addition for addition in tx.additions if isinstance(addition, Event)]
                tx.run("SELECT pg_sleep(random() * 0.01)", {})
                done.append(added)

        done: list[list[Event]] = []
        with ThreadPoolExecutor(len(acts)) as threads:
            for act in [threads.submit(run, act) for act in acts]:
                act.result()
        self.told += [event for added in done for event in added]

    def endings(self, registration_id: UUID) -> list[CaseStatus]:
        """What was told of it."""
        return [
            ENDINGS[event.type]
            for event in self.told
            if event.type in ENDINGS and event.data["registration_id"] == registration_id
        ]


@pytest.fixture
def desk(identity_dsn: str) -> Iterator[Desk]:
    database = Database(identity_dsn, name="test", max_size=AT_ONCE)
    database.open()
    try:
        yield Desk(database)
    finally:
        database.close()


def acts_on(desk: Desk, data: dict[str, Any], case_id: UUID) -> list[Act]:
    """Everything that can happen to a case."""
    one, two, three = desk.officers
    registration_id = data["registration_id"]

    def confirm(officer: Officer, two_officers: bool = False) -> Act:
        return lambda storage: use_cases.confirm_case(
            storage,
            officer,
            case_id,
            papers_checked=True,
            person_id=uuid4(),
            now=NOW,
            two_officers=two_officers,
        )

    def reject(officer: Officer) -> Act:
        return lambda s: use_cases.reject_case(s, officer, case_id, reason="Giấy tờ không khớp", now=NOW)

    def close(reason: str) -> Act:
        return lambda s: use_cases.close_case(s, registration_id, reason, NOW)

    def submit() -> Act:
        return lambda s: use_cases.open_case(s, data, case_id=case_id, at=NOW)

    def supplement(hours: int) -> Act:
        told = {"registration_id": registration_id, "photos": [], "note": None}
        at = NOW + timedelta(hours=hours)
        return lambda s: use_cases.resume_case(s, told, hold_hours=1, now=at, at=at)

    def supersede() -> Act:
        return lambda s: use_cases.supersede(
            s,
            three,
            number=data["person"]["code"],
            declaration_number=data["declaration_number"],
            papers_checked=True,
            reason="Chủ mã số đến cùng giấy tờ",
            two_officers=True,
            now=NOW,
        )

    return [
        submit(),
        submit(),
        confirm(one),
        confirm(two, two_officers=True),
        confirm(three, two_officers=True),
        reject(two),
        reject(three),
        close("cancelled"),
        close("deadline_passed"),
        close("superseded"),
        lambda s: use_cases.claim_case(s, one, case_id, minutes=20, now=NOW),
        lambda s: use_cases.claim_case(s, two, case_id, minutes=20, now=NOW),
        lambda s: use_cases.request_supplement(s, three, case_id, items=["portrait"], note="", now=NOW),
        supplement(1),
        supplement(1),
        supersede(),
    ]


@pytest.mark.parametrize("is_open", [True, False], ids=["the case is open", "the case is on its way"])
@pytest.mark.parametrize("round_", range(8))
def test_whatever_races_each_case_has_one_ending_and_tells_it_once(
    desk: Desk, is_open: bool, round_: int
) -> None:
    data, case_id = samples.submitted(new_person(), agency_code=AGENCY), uuid4()
    acts = acts_on(desk, data, case_id)
    if is_open:
        desk.at_once(acts[:1])
    desk.at_once(acts[round_:] + acts[:round_])

    with desk.database.transaction() as tx:
        case = Storage(tx).case_of(data["registration_id"])
        people = Storage(tx).people_with(case.applicant.numbers) if case else []
    assert case is not None
    assert case.status is not CaseStatus.WAITING
    assert desk.endings(data["registration_id"]) == [case.status]
    assert len(people) == (case.status is CaseStatus.VERIFIED)


@pytest.mark.parametrize("round_", range(4))
def test_of_many_officers_one_holds_the_case(desk: Desk, round_: int) -> None:
    data, case_id = samples.submitted(new_person(), agency_code=AGENCY), uuid4()
    desk.at_once([lambda s: use_cases.open_case(s, data, case_id=case_id, at=NOW)])
    claimed: list[UUID] = []

    def claim(officer: Officer) -> Act:
        def act(storage: Storage) -> None:
            use_cases.claim_case(storage, officer, case_id, minutes=20, now=NOW)
            claimed.append(officer.id)

        return act

    desk.at_once([claim(officer) for officer in desk.officers * 4])
    assert len(set(claimed)) == 1
    assert len(claimed) == 4
