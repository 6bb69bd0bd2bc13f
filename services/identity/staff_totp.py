"""The second factor of a staff log-in: set up with an operator's code, asked for from then on."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.identity import totp
from services.identity.domain import StaffAccount
from services.identity.parts import Parts, now
from services.identity.storage import Storage
from services.identity.throttle import Tries
from services.identity.totp import EnrolmentCodeRequired, EnrolmentCodeWrong, TotpRequired, TotpWrong
from shared import logs
from shared.database import Database

log = logs.get(__name__)

NEXT_STEP = "enrol"
Reply = dict[str, Any]


def must_enrol(staff: StaffAccount, code: str | None) -> bool:
    """Whether an app is to be set up: there is none, or it is shown anew as no code came of it."""
    return staff.totp_last_step is None and (staff.totp_seed is None or code is None)


def is_handed_over(staff: StaffAccount, code: str | None) -> bool:
    """Whether it is the operator's code for this member, in time."""
    if code is None or staff.enrolment_hash is None or staff.enrolment_until is None:
        return False
    in_time = now() < staff.enrolment_until
    return hmac.compare_digest(totp.enrolment_hash(code), staff.enrolment_hash) and in_time


def enrol(db: Database, parts: Parts, staff: StaffAccount, code: str | None) -> Reply:
    """The secret for the app, for the operator's code; it counts once a log-in brings a code of the app, and
    then the operator's is used up. Whatever was shown before is void, so that whoever saw it earlier has
    nothing. Raises ``EnrolmentCodeRequired``, ``EnrolmentCodeWrong``; that also when an app was set up or
    reset meanwhile."""
    if code is None:
        raise EnrolmentCodeRequired
    if not is_handed_over(staff, code):
        raise EnrolmentCodeWrong
    seed = secrets.token_bytes(totp.SEED_SIZE_BYTES)
    with db.transaction() as tx:
        if not Storage(tx).begin_totp(staff.id, seed, totp.enrolment_hash(code)):
            raise EnrolmentCodeWrong
    uri = totp.uri_of(totp.secret_of(parts.settings.seal_private, staff.id, seed), staff.user)
    return {"next_step": NEXT_STEP, "sealed_totp_uri": parts.sealer.seal("gateway", uri)}


def step_of(parts: Parts, staff: StaffAccount, code: str | None) -> int:
    """The step whose code this is; whether it was used is found out when it is. Raises ``TotpRequired``,
    ``TotpWrong``."""
    if code is None or staff.totp_seed is None:
        raise TotpRequired
    secret = totp.secret_of(parts.settings.seal_private, staff.id, staff.totp_seed)
    step = totp.step_of(secret, "".join(code.split()), now())
    if step is None:
        raise TotpWrong
    return step


def tries_of(parts: Parts, staff: StaffAccount) -> Tries:
    """Wrong codes of the app, wherever from: six digits. Only somebody who knows the password gets here, so
    no stranger keeps the owner out. The operator's code, 80 bits, needs no such counter: whoever brings that
    is not held back by others who know the first password."""
    return Tries("staff_totp", str(staff.id), parts.settings.staff_totp_tries)


@contextmanager
def counted(parts: Parts, staff: StaffAccount, tries: tuple[Tries, ...]) -> Iterator[None]:
    """A wrong code counts as a wrong password does. Raises ``TooManyTries``."""
    try:
        yield
    except (TotpWrong, EnrolmentCodeWrong) as wrong:
        refusal = type(wrong).__name__
        log.warning(
            "an officer's password was right, the code was not", staff_id=str(staff.id), refusal=refusal
        )
        parts.throttle.note_wrong(*tries)
        raise
