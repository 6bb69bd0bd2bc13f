"""What the hotline and its passwords leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.identity.hotline import HotlineKey, HotlineKeyTaken
from services.identity.log_in_otp import LogInOtp
from services.identity.tests.integration.storage.either import AnyStorage, account
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import NOW


def test_a_key_of_a_voice_platform_is_used_until_it_is_disabled(storage: AnyStorage) -> None:
    first, second = (HotlineKey(f"voice-{n}", "voice", f"key {n}", NOW) for n in (1, 2))
    for key in (first, second):
        storage.add_hotline_key(key)
    assert [storage.hotline_key(key.id) for key in (first, second)] == [first, second]
    assert storage.disable_hotline_key(first.id, NOW)
    assert not storage.disable_hotline_key("unknown", NOW)
    assert storage.hotline_key(first.id) == replace(first, disabled_at=NOW)
    assert storage.hotline_key("unknown") is None
    assert storage.hotline_keys() == [replace(first, disabled_at=NOW), second]
    with pytest.raises(HotlineKeyTaken):
        storage.add_hotline_key(first)


def test_a_nonce_is_used_once_by_a_key_and_forgotten_when_its_time_is_over(storage: AnyStorage) -> None:
    for name in ("voice-1", "voice-2"):
        storage.add_hotline_key(HotlineKey(name, "voice", "key", NOW))
    until = NOW + timedelta(minutes=10)
    used = [
        storage.use_nonce(*both, kept_until=until, now=NOW)
        for both in (("voice-1", "a"), ("voice-1", "a"), ("voice-2", "a"), ("voice-1", "b"))
    ]
    assert used == [True, False, True, True]
    late = until + timedelta(seconds=1)
    storage.use_nonce("voice-2", "c", kept_until=late, now=late)
    assert storage.use_nonce("voice-1", "a", kept_until=late, now=late), "its time was over"


def test_a_log_in_that_waits_keeps_its_tries(storage: AnyStorage) -> None:
    owner = account(storage)
    spoken = samples.issued(owner.id, reason="hotline", channel="voice")
    storage.add_credential(spoken, str(uuid4()), NOW)
    assert storage.live_credentials(owner.id) == [spoken]
    otp = LogInOtp(uuid4(), owner.id, spoken.id, b"token", "hash", NOW + timedelta(minutes=10))
    storage.add_log_in_otp(otp, NOW)
    storage.save_log_in_otp(replace(otp, tries_left=2))
    assert storage.log_in_otp(otp.id) == replace(otp, tries_left=2)
    later = replace(otp, id=uuid4(), valid_until=NOW + timedelta(hours=2))
    storage.add_log_in_otp(later, NOW + timedelta(hours=1))
    assert (storage.log_in_otp(otp.id), storage.log_in_otp(later.id)) == (None, later)
