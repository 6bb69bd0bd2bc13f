"""Whatever is tried on a case, and in whatever order: it ends once, and what is told agrees with it."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from services.identity import domain, use_cases
from services.identity.domain import CaseStatus, Outcome
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER

ENDINGS = {
    "identity.verified.v1": CaseStatus.VERIFIED,
    "identity.rejected.v1": CaseStatus.REJECTED,
    "identity.closed.v1": CaseStatus.CLOSED,
}


class Cases(RuleBasedStateMachine):
    """Officers, registration and the register, all at the same cases."""

    submitted = Bundle("submitted")
    opened = Bundle("opened")

    def __init__(self) -> None:
        super().__init__()
        self.storage = FakeStorage()
        self.people = 0

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

    @rule(case_id=opened)
    def confirm(self, case_id: UUID) -> None:
        try:
            use_cases.confirm_case(
                self.storage, OFFICER, case_id, papers_checked=True, person_id=uuid4(), now=NOW
            )
        except domain.CaseAlreadyEnded:
            assert self.storage.all_cases[case_id].status is not CaseStatus.VERIFIED

    @rule(case_id=opened)
    def reject(self, case_id: UUID) -> None:
        try:
            use_cases.reject_case(self.storage, OFFICER, case_id, reason="because of something", now=NOW)
        except domain.CaseAlreadyEnded:
            assert self.storage.all_cases[case_id].status is not CaseStatus.REJECTED

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
