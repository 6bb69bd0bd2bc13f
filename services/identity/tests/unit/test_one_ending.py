"""Whatever is tried on a case, and in whatever order: it ends once, and what is told agrees with it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from services.identity import refusals, use_cases
from services.identity.domain import Case, CaseStatus, Officer, Outcome
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER

ENDINGS = {
    "identity.verified.v1": CaseStatus.VERIFIED,
    "identity.rejected.v1": CaseStatus.REJECTED,
    "identity.closed.v1": CaseStatus.CLOSED,
}


OFFICERS = st.sampled_from([OFFICER, Officer(UUID(int=2), samples.AGENCY)])


class Cases(RuleBasedStateMachine):
    """Officers, registration and the register, all at the same cases."""

    submitted = Bundle("submitted")
    opened = Bundle("opened")

    def __init__(self) -> None:
        super().__init__()
        self.storage = FakeStorage()
        self.people = 0
        self.now = NOW

    @rule(target=submitted, outcome=st.sampled_from(Outcome))
    def submit(self, outcome: Outcome) -> dict[str, object]:
        self.people += 1
        person = samples.applicant(
            code=f"{self.people:010}", document_number=f"{self.people:012}", phone=f"+8491{self.people:07}"
        )
        return samples.checked(self.storage, samples.submitted(person), outcome)

    @rule(target=opened, application=submitted)
    def deliver(self, application: dict[str, object]) -> object:
        use_cases.open_case(self.storage, application, case_id=uuid4(), at=NOW)
        case = self.storage.case_of(application["registration_id"])  # type: ignore[arg-type]
        return case.id if case else multiple()

    @rule(application=submitted, reason=st.sampled_from(["cancelled", "deadline_passed"]))
    def request_close(self, application: dict[str, object], reason: str) -> None:
        use_cases.close_case(self.storage, application["registration_id"], reason, NOW)  # type: ignore[arg-type]

    @rule(minutes=st.integers(1, 30))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(case_id=opened, officer=OFFICERS, two_officers=st.booleans())
    def confirm(self, case_id: UUID, officer: Officer, two_officers: bool) -> None:
        before = self.storage.all_cases[case_id]
        try:
            use_cases.confirm_case(
                self.storage,
                officer,
                case_id,
                papers_checked=True,
                person_id=uuid4(),
                now=self.now,
                two_officers=two_officers,
            )
        except refusals.CaseAlreadyEnded:
            assert before.status not in (CaseStatus.VERIFIED, CaseStatus.WAITING)
        except refusals.CaseClaimed:
            assert self.is_held(before, officer)
        except refusals.SecondOfficerNeeded:
            assert two_officers
            assert before.first_confirmed_by == officer.id

    @rule(case_id=opened, officer=OFFICERS)
    def reject(self, case_id: UUID, officer: Officer) -> None:
        before = self.storage.all_cases[case_id]
        try:
            use_cases.reject_case(self.storage, officer, case_id, reason="because of something", now=self.now)
        except refusals.CaseAlreadyEnded:
            assert before.status not in (CaseStatus.REJECTED, CaseStatus.WAITING)
        except refusals.CaseClaimed:
            assert self.is_held(before, officer)

    @rule(case_id=opened, officer=OFFICERS)
    def claim(self, case_id: UUID, officer: Officer) -> None:
        before = self.storage.all_cases[case_id]
        try:
            use_cases.claim_case(self.storage, officer, case_id, minutes=20, now=self.now)
        except (refusals.CaseAlreadyEnded, refusals.CaseClaimed):
            assert before.status is not CaseStatus.WAITING or self.is_held(before, officer)

    @rule(case_id=opened, officer=OFFICERS)
    def ask_for_more(self, case_id: UUID, officer: Officer) -> None:
        before = self.storage.all_cases[case_id]
        try:
            use_cases.request_supplement(
                self.storage, officer, case_id, items=["portrait"], note="", now=self.now
            )
        except (refusals.CaseAlreadyEnded, refusals.CaseClaimed):
            assert before.status is not CaseStatus.WAITING or self.is_held(before, officer)

    @rule(case_id=opened, minutes_ago=st.integers(0, 60))
    def supplement(self, case_id: UUID, minutes_ago: int) -> None:
        """Late, early, or twice."""
        registration_id = self.storage.all_cases[case_id].registration_id
        data = {"registration_id": registration_id, "photos": [], "note": None}
        at = self.now - timedelta(minutes=minutes_ago)
        use_cases.resume_case(self.storage, data, hold_hours=1, now=self.now, at=at)

    def is_held(self, case: Case, officer: Officer) -> bool:
        return case.hold is not None and case.hold.staff_id != officer.id and self.now < case.hold.until

    @rule(application=consumes(submitted))
    def forget(self, application: dict[str, object]) -> None:
        """An application that is never delivered again."""

    @invariant()
    def each_case_has_told_its_ending_once_and_no_other(self) -> None:
        told: dict[UUID, list[CaseStatus]] = {}
        for name, status in ENDINGS.items():
            for event in self.storage.tx.events(name):
                told.setdefault(event.data["registration_id"], []).append(status)
        for case in self.storage.all_cases.values():
            expected = [] if case.status is CaseStatus.WAITING else [case.status]
            assert told.pop(case.registration_id, []) == expected
        assert not told

    @invariant()
    def nobody_is_a_person_without_a_verified_case(self) -> None:
        verified = [c for c in self.storage.all_cases.values() if c.status is CaseStatus.VERIFIED]
        assert len(self.storage.people) == len(verified)


TestCases = Cases.TestCase
TestCases.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
