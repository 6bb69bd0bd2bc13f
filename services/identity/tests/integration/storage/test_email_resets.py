"""Resets by e-mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from services.identity.email_reset import asked_for
from services.identity.tests.integration.storage.either import AnyStorage, account
from services.identity.tests.unit.samples import NOW


def test_a_reset_is_kept_counted_and_forgotten(storage: AnyStorage) -> None:
    owner = account(storage)
    asked = asked_for(uuid4(), "0123456789", "thu@example.com", now=NOW, valid_minutes=10)
    storage.add_email_reset(asked)
    assert storage.email_reset(asked.id) == storage.email_reset(asked.id, to_change=True) == asked
    assert storage.email_resets_of(owner.id, 10) == []

    sent = asked.looked_up(owner, "a hash")
    storage.save_email_reset(sent)
    assert storage.email_reset(asked.id) == sent
    before = NOW - timedelta(seconds=1)
    assert storage.email_resets_sent(owner.id, email_given=True, since=before) == 1
    assert storage.email_resets_sent(owner.id, email_given=True, since=NOW) == 0
    assert storage.email_resets_sent(owner.id, email_given=False, since=before) == 0

    storage.save_email_reset(replace(sent, used_at=NOW, tries_left=2))
    assert storage.email_resets_of(owner.id, 10) == [(NOW, NOW)]
    storage.forget_email_reset(asked.id)
    assert storage.email_reset(asked.id) is None
