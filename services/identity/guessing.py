"""Guessing of passwords: which tries are counted together, who is told, what operators see (row F13).

Nobody is locked out by a stranger: a device on which the account was used before has counters of its own,
which no stranger reaches, and so has a session. For others all tries count: for the user as from this
address, for the user, for the address and for its network. Where those of the user alone are used up, a
password of the hotline is still looked at. Counters of users go by what was typed, so that a code and a
personal number that stop together tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from prometheus_client import Counter

from services.identity import domain, use_cases
from services.identity.devices import Device
from services.identity.jobs import Due, Record
from services.identity.parts import Parts, new_id, now
from services.identity.refusals import TooManyTries
from services.identity.storage import Storage
from services.identity.throttle import Tries
from shared import metrics
from shared.database import Database
from shared.messaging import outbox
from shared.refusals import Refused

TELL_THROTTLED = "tell_throttled"
AFTER_THE_ANSWER = timedelta(seconds=1)
"""When it is found out whether there is anybody to tell: so late that the time of the answer cannot tell."""
OWN = ("log_in_device", "own_password")
"""Counters of a device, and of a session: whoever fills them holds what was the user's."""
OF_A_USER = frozenset({"log_in", "log_in_user", *OWN, *(f"{kind}_hour" for kind in OWN)})
"""The counters that mean one user; of an address's the holder is not told."""
T = TypeVar("T")

log_ins_total = Counter(
    "vssid_log_ins_total",
    "Log-ins of citizens and staff by what came of them: right, or the name of the refusal",
    ["who", "outcome"],
    registry=metrics.REGISTRY,
)


@contextmanager
def counted(who: str) -> Iterator[None]:
    """A log-in of a citizen or of staff, for operators. A citizen who is held back reads which ways in
    strangers leave open."""
    try:
        yield
    except Refused as refused:
        log_ins_total.labels(who, type(refused).__name__).inc()
        if who == "citizen" and isinstance(refused, TooManyTries):
            raise TooManyTries(
                retry_after_seconds=int(refused.details["retry_after_seconds"]), citizen=True
            ) from None
        raise
    log_ins_total.labels(who, "right").inc()


def tries_of(
    parts: Parts, user: str, address: str, network: str, device: Device | None = None
) -> tuple[Tries, ...]:
    """What a log-in of a citizen is counted with."""
    settings = parts.settings
    if device is not None:
        return _own(parts, "log_in_device", device.id)
    return (
        Tries("log_in_user", user, settings.log_in_tries_per_user),
        *_places(parts, user, address, network),
    )


def tries_in_session(parts: Parts, session_id: UUID) -> tuple[Tries, ...]:
    """What a password that is given in a session is counted with, whatever for. By session: whoever has a
    token of one holds back that one alone, and the holder is free to log in anew."""
    return _own(parts, "own_password", session_id)


def _own(parts: Parts, kind: str, of: UUID) -> tuple[Tries, ...]:
    """What no stranger reaches is good for so many in a minute, and in an hour for no more than all strangers
    together: tokens are stolen, too."""
    settings = parts.settings
    return (
        Tries(kind, str(of), settings.log_in_tries),
        Tries(f"{kind}_hour", str(of), settings.log_in_tries_per_user),
    )


def tries_of_spoken(parts: Parts, user: str, address: str, network: str) -> tuple[Tries, ...]:
    """The same where nothing but a password of the hotline is looked at: of the user so many more, as it is
    random and opens a second step alone; of each place no more than of other passwords."""
    return (
        Tries("log_in_user_spoken", user, parts.settings.spoken_log_in_tries_per_user),
        *_places(parts, user, address, network),
    )


def _places(parts: Parts, user: str, address: str, network: str) -> tuple[Tries, ...]:
    settings = parts.settings
    return (
        Tries("log_in", f"{user} {address}", settings.log_in_tries),
        *_told(
            Tries("log_in_address", address, settings.log_in_tries_per_address),
            Tries("log_in_network", network, settings.log_in_tries_per_network),
        ),
    )


def tries_of_staff(
    parts: Parts, user: str, address: str, network: str, own: UUID | None = None
) -> tuple[Tries, ...]:
    """The same of an officer. A whole agency shares an address, with citizens in its wifi: neither holds the
    other back, and the second factor stands before a guessed password. So no counter is the user's alone, but
    where there is no second factor: a guessed password is worse than new desks that wait. ``own``: of whom a
    known device is proven, or the operator's code; no stranger gets to that."""
    settings = parts.settings
    if own is not None:
        return _own(parts, "staff_log_in_own", own)
    return (
        Tries("staff_log_in", f"{user} {address}", settings.log_in_tries),
        *(() if settings.staff_totp else (Tries("staff_log_in_user", user, settings.log_in_tries_per_user),)),
        *_told(
            Tries("staff_log_in_address", address, settings.staff_log_in_tries_per_address),
            Tries("staff_log_in_network", network, settings.staff_log_in_tries_per_network),
        ),
    )


def tries_of_otps(parts: Parts, address: str, network: str) -> tuple[Tries, ...]:
    """What a wrong code is counted with that was sent for a reset or a log-in. Each has five tries of its
    own, and whoever begins thousands has thousands: so the places count, apart from wrong passwords. No user
    does, as strangers would use that up."""
    settings = parts.settings
    return _told(
        Tries("otp_address", address, settings.otp_tries_per_address),
        Tries("otp_network", network, settings.otp_tries_per_network),
    )


def _told(*places: Tries) -> tuple[Tries, ...]:
    """Of those places, which are hashes, that the caller has told."""
    return tuple(place for place in places if place.key)


def tried(
    db: Database,
    parts: Parts,
    tries: tuple[Tries, ...],
    account: domain.Account | None,
    find: Callable[[], T | None],
) -> T | None:
    """What a password opens, as ``find`` says; None for a wrong one, which is counted, and of whose last the
    holder of ``account`` is told. A right one is held back too where others used the limit up while it was
    looked at: many at once learn no more than one by one. Raises ``TooManyTries``."""
    found = find()
    if found is None:
        note_wrong(db, parts, tries, account)
    else:
        parts.throttle.check(*tries)
    return found


def note_wrong(db: Database, parts: Parts, tries: tuple[Tries, ...], account: domain.Account | None) -> None:
    """A wrong password. When it is the last that is answered for a while, the holder is told, if there is
    one: what is done now is the same for nobody. Raises ``TooManyTries``."""
    if parts.throttle.note_wrong(*tries) & OF_A_USER:
        account_id = str(account.id if account else new_id())
        due = outbox.Due(TELL_THROTTLED, account_id, now() + AFTER_THE_ANSWER)
        with db.transaction() as tx:
            outbox.add(tx, due)


def tell(due: Due) -> Record:
    """The holder of an account whose password was guessed at is told, once a day."""
    return lambda tx: use_cases.tell_throttled(Storage(tx), UUID(due.key), now())
