"""What citizens do at the running service."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from services.registration.tests.examples import complete
from services.registration.tests.integration.office import Applicant, Office
from shared.messaging.calls import CallRefused

SUBMITTED, CLOSE_REQUESTED = "registration.submitted.v1", "registration.close_requested.v1"
FORMER = {"province_code": "01", "district_code": "001", "commune_code": "00004"}
_people = count(1)


def person() -> dict[str, str]:
    """Code, phone and CCCD that no other test uses."""
    number = next(_people)
    return {
        "code": f"10{number:08}",
        "phone": f"09{number:08}",
        "document__number": f"001190{number:06}",
    }


def whole(office: Office, **form_changes: Any) -> Applicant:
    """A registration that lacks nothing but its submission."""
    return office.keep(complete(form_changes=person() | form_changes))


def unconfirmed(office: Office) -> Applicant:
    """One whose e-mail, which no other test uses, waits to be confirmed."""
    email = f"{uuid.uuid4().hex}@example.org"
    return office.keep(complete(form_changes=person(), email_verified=False, email=email))


def refusal_of(call: Callable[[], object]) -> CallRefused:
    with pytest.raises(CallRefused) as refusal:
        call()
    assert refusal.value.vi
    assert refusal.value.en
    return refusal.value
