"""When a child comes of age, where its birth date was corrected."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.identity.domain import Person
from services.identity.guardianship import of_age_at
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_guardianship


def move_coming_of_age(storage: Storage, child: Person, now: datetime) -> None:
    """Who was confirmed as a guardian acts until the day on which the child comes of age by the birth date
    that is held now, earlier or later than before, and history is told. What an officer has ended stays
    ended. The child's numbers are locked."""
    until = of_age_at(child.applicant.birth_value)
    for held in storage.guardianships_of(child.id):
        if held.end_reason is None and held.valid_until != until:
            moved = replace(held, valid_until=until)
            storage.save_guardianship(moved)
            tell_guardianship(storage, None, child, moved, at=held.after_confirmation(now))
