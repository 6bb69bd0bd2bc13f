"""Identity with a defect planted, the one that ``PLANTED`` in the environment names: somebody becomes a
child's guardian without the officer, sees the children of others, or is the guardian still after the end."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

from services.identity import use_cases
from services.identity.domain import Case
from services.identity.guardianship import Guardianship, of_age_at
from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.storage.guardianships import Guardianships
from services.identity.use_cases import children, desk, parting

__all__ = ["IdentityService", "Settings"]

open_case = use_cases.open_case
OF_ONE = "g.account_id = %(account_id)s AND g.valid_until"
NOBODY = UUID(int=0)


def _whoever_registers_the_child() -> None:
    def opened(storage: Any, submitted: Any, **options: Any) -> None:
        open_case(storage, submitted, **options)
        case: Case | None = storage.case_of(submitted["registration_id"])
        for child in storage.people_with(case.applicant.numbers) if case and case.guardian else []:
            until = of_age_at(child.applicant.birth_value)
            claimed = Guardianship(case.guardian.account_id, child.id, "parent", NOBODY, options["at"], until)
            children.tell_guardianship(storage, case, child, claimed)

    use_cases.open_case = opened


def _without_the_certificate() -> None:
    desk.see_guardianship = lambda *_, **__: None


def _everybodys_children() -> None:
    assert OF_ONE in Guardianships.CHILDREN_OF
    Guardianships.CHILDREN_OF = Guardianships.CHILDREN_OF.replace(OF_ONE, "g.valid_until")


def _an_ending_that_nobody_hears() -> None:
    parting.tell_guardianship_ended = lambda *_, **__: None


def _an_ending_that_changes_no_password() -> None:
    parting.start_anew = lambda *_, **__: None


{
    "an ending that nobody hears": _an_ending_that_nobody_hears,
    "an ending that changes no password": _an_ending_that_changes_no_password,
    "whoever registers the child": _whoever_registers_the_child,
    "without the certificate": _without_the_certificate,
    "everybody's children": _everybodys_children,
}[os.environ["PLANTED"]]()
