"""Devices, and who is logged in on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from services.identity.credentials import Credential, CredentialState, Session
from services.identity.devices import Device, Refresh
from services.identity.tests.integration.storage.either import AnyStorage, account
from services.identity.tests.unit.samples import NOW


def test_devices_and_the_refresh_tokens_on_them(storage: AnyStorage) -> None:
    holder = account(storage)
    made = Credential(uuid4(), holder.id, CredentialState.ACTIVE, "hash")
    storage.add_credential(made, str(uuid4()), NOW)
    devices = [Device(uuid4(), holder.id, f"máy {n}", b"a hash", NOW, NOW + timedelta(n)) for n in range(3)]
    for device in devices:
        storage.save_device(device)
    assert storage.devices_of(holder.id, 2) == [devices[2], devices[1]]
    seen = replace(devices[0], name="khác", last_seen_at=NOW + timedelta(9), token_hash=b"another")
    storage.save_device(seen)
    assert storage.device(seen.id) == seen
    again = replace(seen, name="khác nữa", last_seen_at=NOW + timedelta(10))
    assert not storage.see_device(replace(again, token_hash=b"a hash")), "it proves itself with another token"
    assert not storage.see_device(replace(again, account_id=uuid4()))
    assert storage.device(seen.id) == seen
    assert storage.see_device(again)
    seen = again
    assert storage.device(seen.id) == seen
    session = Session(uuid4(), holder, "citizen", NOW, device_id=seen.id)
    assert storage.start_session(session, made.id)
    assert storage.session(session.id) == session
    assert storage.refresh(session.id) is None
    refresh = Refresh(session.id, NOW, b"one", NOW)
    storage.save_refresh(refresh)
    assert storage.refresh(session.id) == refresh
    followed = refresh.followed_by(b"two", NOW + timedelta(1))
    storage.save_refresh(followed)
    assert storage.refresh(session.id) == followed
    terms = {"used_after": NOW, "started_after": NOW - timedelta(1), "limit": 10}
    assert storage.logged_in_devices(holder.id, **terms) == [seen]
    assert storage.logged_in_devices(holder.id, **{**terms, "used_after": NOW + timedelta(1)}) == []
    assert storage.logged_in_devices(holder.id, **{**terms, "started_after": NOW}) == []
    before = followed.refreshed_at - timedelta(microseconds=1)
    assert storage.end_sessions_on(devices[1].id, NOW, issued_after=before) == []
    ended = followed.refreshed_at + timedelta(microseconds=1)
    assert storage.end_sessions_on(seen.id, NOW, issued_after=before) == [ended], "later than the last token"
    assert storage.end_session(session.id, NOW) == []
    assert storage.logged_in_devices(holder.id, **terms) == []
    storage.forget_device(seen.id)
    assert storage.device(seen.id) is None
    kept = storage.session(session.id)
    assert kept is not None
    assert kept.ended_at == ended


def test_of_sessions_that_end_on_a_device_those_are_told_of_which_a_token_was_issued_since(
    storage: AnyStorage,
) -> None:
    holder = account(storage)
    made = Credential(uuid4(), holder.id, CredentialState.ACTIVE, "hash")
    storage.add_credential(made, str(uuid4()), NOW)
    device = Device(uuid4(), holder.id, "máy", b"a hash", NOW, NOW)
    storage.save_device(device)
    since = NOW - timedelta(hours=1)
    begun = [since - timedelta(hours=1), since, since + timedelta(seconds=1)]
    sessions = [Session(uuid4(), holder, "citizen", at, device_id=device.id) for at in begun]
    for session in sessions:
        assert storage.start_session(session, made.id)
    storage.save_refresh(Refresh(sessions[0].id, begun[0], b"one", since + timedelta(seconds=2)))
    assert storage.end_sessions_on(device.id, NOW, issued_after=since) == [NOW, NOW]
    assert storage.end_sessions_on(device.id, NOW, issued_after=since) == []
    kept = [storage.session(session.id) for session in sessions]
    assert [session and session.ended_at for session in kept] == [NOW] * 3, "all ended, told or not"


def test_log_ins_are_forgotten_when_their_time_is_over(storage: AnyStorage) -> None:
    holder = account(storage)
    made = Credential(uuid4(), holder.id, CredentialState.ACTIVE, "hash")
    storage.add_credential(made, str(uuid4()), NOW)
    long_ago = NOW - timedelta(3650)
    for at in (long_ago, long_ago + timedelta(1), long_ago + timedelta(2)):
        device = Device(uuid4(), holder.id, "máy", b"a hash", at, at)
        storage.save_device(device)
        assert storage.start_session(Session(uuid4(), holder, "citizen", at, device_id=device.id), made.id)
    until = long_ago + timedelta(2)

    assert storage.forget_log_ins(before=until, limit=1) == 1
    assert storage.forget_log_ins(before=until, limit=100) == 1
    assert storage.forget_log_ins(before=until, limit=100) == 0

    (left,) = storage.devices_of(holder.id, 10)
    assert left.last_seen_at == until, "not yet"
    assert storage.log_ins(holder.id, 10) == [(until, None)]
