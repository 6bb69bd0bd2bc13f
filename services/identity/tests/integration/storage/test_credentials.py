"""Passwords, the sessions that begin with them, and how far they came."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity.credentials import CredentialState, Session
from services.identity.delivery import Way
from services.identity.tests.integration.storage.either import AnyStorage, account
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import NOW


def test_live_credentials_come_newest_first_and_ended_ones_not_at_all(storage: AnyStorage) -> None:
    holder = account(storage)
    own, first = samples.active(holder.id), samples.issued(holder.id)
    storage.add_credential(own, "a session", NOW)
    storage.add_credential(first, "a registration", NOW + timedelta(seconds=1))
    assert storage.live_credentials(holder.id) == [first, own]
    assert storage.end_credentials([own.id], NOW) == 1
    assert storage.end_credentials([own.id], NOW) == 0
    assert storage.end_credentials([], NOW) == 0
    assert storage.live_credentials(holder.id) == [first]
    kept = storage.credential_for(holder.id, "a session")
    assert kept is not None
    assert (kept.id, kept.state) == (own.id, CredentialState.ENDED)
    assert storage.credential_for(holder.id, "another") is None
    assert storage.credential_for(uuid4(), "a session") is None
    assert storage.cause_of(own.id) == (holder.id, "a session")
    assert storage.cause_of(uuid4()) is None


def test_how_far_a_message_came_never_goes_back(storage: AnyStorage) -> None:
    holder = account(storage)
    first = samples.issued(holder.id)
    storage.add_credential(first, "a registration", NOW)
    kept = []
    for state in ("sent", "delivered", "sent", "failed"):
        kept.append((storage.note_delivery(first.id, state), storage.delivery(first.id)))
    assert kept == [(True, "sent"), (True, "delivered"), (False, "delivered"), (False, "delivered")]
    assert not storage.note_delivery(uuid4(), "sent")
    assert storage.delivery(uuid4()) is None


def test_what_counted_as_lost_may_still_arrive_until_it_is_replaced(storage: AnyStorage) -> None:
    holder = account(storage)
    first = samples.issued(holder.id)
    storage.add_credential(first, "a registration", NOW)
    assert storage.note_delivery(first.id, "failed")
    assert not storage.note_delivery(first.id, "sent")
    assert storage.note_delivery(first.id, "delivered")
    assert not storage.note_delivery(first.id, "failed")
    assert storage.delivery(first.id) == "delivered"
    storage.end_credentials([first.id], NOW)
    second = samples.issued(holder.id)
    storage.add_credential(second, "another", NOW)
    assert storage.note_delivery(second.id, "failed")
    storage.end_credentials([second.id], NOW)
    assert not storage.note_delivery(second.id, "delivered")


def test_a_session_begins_with_a_live_credential_of_its_own_account_only(storage: AnyStorage) -> None:
    holder = account(storage)
    other = account(storage, code="9999999999", document_number="001190000002")
    first, foreign = samples.issued(holder.id), samples.issued(other.id)
    storage.add_credential(first, "one", NOW)
    storage.add_credential(foreign, "two", NOW)
    session = Session(uuid4(), holder, "password_change", NOW)
    assert not storage.start_session(session, foreign.id)
    assert not storage.start_session(session, uuid4())
    assert storage.start_session(session, first.id)
    assert storage.session(session.id) == session
    assert storage.session(uuid4()) is None
    storage.end_credentials([first.id], NOW)
    assert not storage.start_session(Session(uuid4(), holder, "citizen", NOW), first.id)


def test_sessions_of_one_account_end_together_and_keep_when(storage: AnyStorage) -> None:
    holder = account(storage)
    other = account(storage, code="9999999999", document_number="001190000002")
    sessions = []
    for owner in (holder, holder, other):
        credential = samples.issued(owner.id)
        storage.end_credentials([c.id for c in storage.live_credentials(owner.id)], NOW)
        storage.add_credential(credential, str(credential.id), NOW)
        session = Session(uuid4(), owner, "citizen", NOW - timedelta(hours=1))
        assert storage.start_session(session, credential.id)
        sessions.append(session)
    assert storage.end_sessions(holder.id, NOW) == [NOW, NOW]
    assert storage.end_sessions(holder.id, NOW + timedelta(hours=1)) == []
    assert [s and s.ended_at for s in map(storage.session, [s.id for s in sessions])] == [NOW, NOW, None]


def test_what_the_last_password_by_sms_was_made_for(storage: AnyStorage) -> None:
    owner, cause = account(storage), str(uuid4())
    assert storage.last_cause_by_sms(owner.id) is None
    issued = samples.issued(owner.id)
    storage.add_credential(issued, cause, NOW)
    storage.end_credentials([issued.id], NOW)
    spoken = samples.issued(owner.id, reason="hotline", channel="voice")
    storage.add_credential(spoken, str(uuid4()), NOW + timedelta(hours=1))
    storage.add_credential(samples.active(owner.id), str(uuid4()), NOW + timedelta(hours=2))
    assert storage.last_cause_by_sms(owner.id) == cause


def test_a_hash_is_renewed_once_and_only_the_one_that_was_seen(storage: AnyStorage) -> None:
    owner = account(storage)
    credential = samples.active(owner.id, password_hash="old")
    storage.add_credential(credential, str(uuid4()), NOW)
    storage.renew_hash(credential.id, "another", "wrong")
    storage.renew_hash(credential.id, "old", "new")
    storage.renew_hash(credential.id, "old", "late")
    assert [live.password_hash for live in storage.live_credentials(owner.id)] == ["new"]


def test_by_which_ways_the_passwords_of_a_registration_failed(storage: AnyStorage) -> None:
    holder, registration_id, other = account(storage), uuid4(), uuid4()
    assert storage.last_cause_for(holder.id, registration_id) is None
    rows = ((None, "failed"), (None, "sent"), (None, "failed"), (Way.LINK, "failed"), (Way.COUNTER, None))
    for number, (channel, state) in enumerate(rows):
        made = samples.issued(holder.id, channel=channel)
        cause = f"{registration_id} {number}" if number else str(registration_id)
        storage.add_credential(made, cause, NOW + timedelta(seconds=number))
        if state:
            storage.note_delivery(made.id, state)
        storage.end_credentials([made.id], NOW)
    assert sorted(storage.failed_ways(holder.id, registration_id)) == [Way.LINK, Way.SMS, Way.SMS]
    assert storage.failed_ways(holder.id, other) == storage.failed_ways(uuid4(), registration_id) == []
    assert storage.last_cause_for(holder.id, registration_id) == f"{registration_id} 4"
    assert storage.last_cause_for(holder.id, other) is None


def test_what_failed_at_a_former_contact_does_not_count_at_another(storage: AnyStorage) -> None:
    holder, registration_id = account(storage), uuid4()

    def failed(number: int, hour: int) -> None:
        made = samples.issued(holder.id)
        storage.add_credential(made, f"{registration_id} {number}", NOW + timedelta(hours=hour))
        storage.note_delivery(made.id, "failed")
        storage.end_credentials([made.id], NOW)

    failed(1, hour=1)
    storage.save_account(
        replace(holder, email=holder.email.upper(), full_name="Another"), NOW + timedelta(hours=2)
    )
    assert storage.failed_ways(holder.id, registration_id) == [Way.SMS], "the contact is the same"
    storage.save_account(replace(holder, phone="+84987654321"), NOW + timedelta(hours=3))
    assert storage.failed_ways(holder.id, registration_id) == []
    failed(2, hour=4)
    assert storage.failed_ways(holder.id, registration_id) == [Way.SMS]
    storage.save_account(
        replace(holder, phone="+84987654321", email="new@example.com"), NOW + timedelta(hours=5)
    )
    assert storage.failed_ways(holder.id, registration_id) == []


@pytest.mark.parametrize(
    ("later", "gave_way"),
    [
        ([], False),
        ([("voice", "issued", None)], True),
        ([("voice", "ended", None)], False),
        ([("voice", "ended", "delivered"), ("voice", "issued", None)], True),
        ([("voice", "issued", "delivered")], False),
        ([(None, "ended", None), ("voice", "issued", None)], False),
        ([(Way.LINK, "ended", None), ("voice", "issued", None)], False),
        ([(None, "issued", None)], False),
    ],
)
def test_what_gave_way_to_the_hotline_alone(
    storage: AnyStorage, later: list[tuple[str | None, str, str | None]], gave_way: bool
) -> None:
    holder = account(storage)
    given = samples.issued(holder.id)
    voice_before = samples.issued(holder.id, channel="voice")
    for number, credential in enumerate((voice_before, given), start=-1):
        storage.add_credential(credential, str(uuid4()), NOW + timedelta(seconds=number))
        storage.end_credentials([credential.id], NOW)
    for number, (channel, state, delivery) in enumerate(later, start=1):
        made = samples.issued(holder.id, channel=channel)
        storage.add_credential(made, str(uuid4()), NOW + timedelta(seconds=number))
        if delivery:
            storage.note_delivery(made.id, delivery)
        if state == "ended":
            storage.end_credentials([made.id], NOW)
    assert storage.gave_way_to_voice(given.id) is gave_way
    assert not storage.gave_way_to_voice(uuid4())


def test_what_the_hotline_s_password_took_the_place_of(storage: AnyStorage) -> None:
    holder, causes = account(storage), [str(uuid4()), f"{uuid4()} 2"]
    assert storage.cause_before_voice(holder.id) is None

    def made(number: int, cause: str = "", **changes: Any) -> None:
        first = samples.issued(holder.id, **changes)
        at = NOW + timedelta(seconds=number)
        storage.end_credentials([one.id for one in storage.live_credentials(holder.id)], at)
        storage.add_credential(first, cause or str(uuid4()), at)

    made(1, causes[0])
    made(2, causes[1], channel=Way.LINK)
    for number in (3, 4):
        made(number, channel="voice")
        assert storage.cause_before_voice(holder.id) == causes[1]
    made(5, state=CredentialState.ACTIVE, valid_until=None)
    made(6, channel="voice")
    assert storage.cause_before_voice(holder.id) is None, "a password of the own was chosen in between"


def test_a_link_is_found_while_it_may_be_tried(storage: AnyStorage) -> None:
    holder = account(storage)
    link = samples.issued(holder.id, channel=Way.LINK, password_hash="ab" * 32)
    storage.add_credential(link, str(uuid4()), NOW)
    for _ in range(5):
        assert storage.link(link.id) == link
        storage.count_link_try(link.id)
    assert storage.link(link.id) is None
    storage.end_credentials([link.id], NOW)
    ended = samples.issued(holder.id, channel=Way.LINK)
    storage.add_credential(ended, str(uuid4()), NOW)
    storage.end_credentials([ended.id], NOW)
    first = samples.issued(holder.id)
    storage.add_credential(first, str(uuid4()), NOW)
    found = storage.link(ended.id)
    assert found is not None
    assert found.state is CredentialState.ENDED
    assert [storage.link(i) for i in (first.id, uuid4())] == [None, None]


def test_whether_a_password_was_chosen_since(storage: AnyStorage) -> None:
    holder = account(storage)
    storage.add_credential(samples.issued(holder.id), str(uuid4()), NOW + timedelta(days=1))
    assert not storage.has_chosen_since(holder.id, NOW)
    own = samples.active(holder.id)
    storage.add_credential(own, str(uuid4()), NOW)
    storage.end_credentials([own.id], NOW)
    assert storage.has_chosen_since(holder.id, NOW)
    assert not storage.has_chosen_since(holder.id, NOW + timedelta(seconds=1))
    assert not storage.has_chosen_since(uuid4(), NOW)
