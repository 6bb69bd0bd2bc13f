"""An account handed over at the counter: a password is made, kept as a hash, and printed on a slip."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

from services.identity import use_cases
from services.identity.domain import Officer
from services.identity.parts import Parts, new_id, now
from services.identity.passwords import generated
from services.identity.slip_pdf import Slip, slip_pdf
from services.identity.storage import Storage


def hand_over(
    storage: Storage, parts: Parts, officer: Officer, case_id: UUID, *, papers_checked: bool
) -> dict[str, Any]:
    """``{number, sealed_slip, valid_until}``: the slip as a PDF in base64, sealed to the gateway. The id of
    the credential is made once the account is held, so that what was made before sorts before it.

    Raises as ``use_cases.begin_hand_over``.
    """
    at = now()
    held = use_cases.begin_hand_over(storage, officer, case_id, papers_checked=papers_checked, now=at)
    password = generated()
    hours = parts.settings.first_password_hours
    made = use_cases.slip_password(
        held.account, new_id(), parts.passwords.hashed(password), valid_hours=hours, now=at
    )
    assert made.valid_until is not None
    use_cases.hand_over(storage, officer, held, made, at)
    number = held.case.declaration_number
    slip = Slip(number, held.account.full_name, held.account.code, password, made.valid_until)
    printed = base64.b64encode(parts.printer.pdf(slip_pdf, slip)).decode()
    return {
        "number": number,
        "sealed_slip": parts.sealer.seal("gateway", printed),
        "valid_until": made.valid_until.isoformat(),
    }
