"""Who holds a registration, and what they may see of it."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.registration.domain import (
    Registration,
)
from services.registration.refusals import (
    RegistrationUnknown,
)
from services.registration.timeline import Progress
from services.registration.use_cases.ports import Storage
from shared.refusals import Refused


@dataclass(frozen=True)
class Key:
    """What a caller shows to reach a registration: its id and the hash of the resume token."""

    registration_id: UUID | None
    token_hash: bytes


NOBODY = bytes(32)


def hold(storage: Storage, key: Key, *, to_change: bool = False) -> Registration:
    """The registration that ``key`` opens. Raises ``RegistrationUnknown``, the same whatever was wrong.

    The hashes are compared in constant time, also where there is no such registration.
    """
    found = None
    if key.registration_id is not None:
        found = storage.find(key.registration_id, to_change=to_change)
    if not opens(key, None if found is None else found.token_hash) or found is None:
        raise RegistrationUnknown()
    return found


def opens(key: Key, token_hash: bytes | None) -> bool:
    """Whether the key is the one of this hash; ``None`` where there is no such registration."""
    return hmac.compare_digest(NOBODY if token_hash is None else token_hash, key.token_hash)


def read_timelines(storage: Storage, keys: Sequence[Key]) -> list[Progress | Refused]:
    """What happened and what comes next, for all that ask at once: the store is asked once."""
    found = storage.progress([key.registration_id for key in keys if key.registration_id])
    answers: list[Progress | Refused] = []
    for key in keys:
        progress = found.get(key.registration_id) if key.registration_id else None
        right = opens(key, None if progress is None else progress.token_hash)
        answers.append(progress if right and progress else RegistrationUnknown())
    return answers
