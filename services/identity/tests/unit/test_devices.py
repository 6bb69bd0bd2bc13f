"""Devices, and refresh tokens that are good once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.identity import refusals, use_cases
from services.identity.credentials import Claims, Credential, Session
from services.identity.devices import (
    FORMER_KEPT,
    MOST_DEVICES,
    TOKENS_LIVE,
    Device,
    Lifetimes,
    Refresh,
    Use,
    device_name,
)
from services.identity.domain import Account
from services.identity.settings import Settings
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW
from services.identity.tests.unit.test_contact import verified
from services.identity.tests.unit.test_settings import GOOD
from services.identity.tokens import ProofTokens
from shared.settings import load

LIFETIMES = Lifetimes(timedelta(days=30), timedelta(days=180))
PROOFS = ProofTokens(b"a key")
LATER = NOW + timedelta(minutes=15)
TICK = timedelta(microseconds=1)


@pytest.fixture
def account(storage: FakeStorage) -> Account:
    return verified(storage)


def log_in(
    storage: FakeStorage, account: Account, device: Device | None = None, used: Credential | None = None
) -> tuple[Session, str]:
    """A session on a new device, or on a known one, with its refresh token, by an own password or another."""
    on = device or Device(uuid4(), account.id, "máy", uuid4().bytes, NOW, NOW)
    credential = used or samples.active(account.id)
    storage.add_credential(credential, str(uuid4()), NOW)
    begins_at = (
        use_cases.enter_again(storage, account, on, NOW)
        if device
        else use_cases.enter_anew(storage, account, on, credential, NOW)
    )
    assert begins_at is not None
    session_id = uuid4()
    token = PROOFS.new(session_id)
    session = use_cases.log_in(
        storage,
        account,
        credential,
        session_id=session_id,
        refresh_hash=PROOFS.hash(token),
        device_id=on.id,
        now=begins_at,
    )
    return session, token


def use(storage: FakeStorage, token: str, now: datetime = LATER) -> Session | None:
    """The session that goes on, without when its access token is issued."""
    refreshed = issued(storage, token, now)
    return refreshed and refreshed[0]


def issued(storage: FakeStorage, token: str, now: datetime) -> tuple[Session, datetime] | None:
    return use_cases.use_refresh_token(
        storage,
        PROOFS.owner(token),
        PROOFS.hash(token),
        PROOFS.hash(PROOFS.following(token)),
        lifetimes=LIFETIMES,
        now=now,
    )


def claims_of(session: Session) -> Claims:
    return Claims(session.account.id, session.account.code, session.scope, session.id)


def listed(storage: FakeStorage, session: Session, now: datetime = LATER) -> list[UUID]:
    """The ids of the devices that the holder of a session sees."""
    _, found = use_cases.list_devices(storage, claims_of(session), lifetimes=LIFETIMES, now=now)
    return [device.id for device in found]


def notices(storage: FakeStorage) -> list[str]:
    return [event.data["kind"] for event in storage.tx.events("account.notice_due.v1")]


def test_of_a_session_that_no_access_token_outlives_others_need_not_hear(
    storage: FakeStorage, account: Account
) -> None:
    """The account's other devices need no new access token then, and history has nothing to refuse."""
    session, _ = log_in(storage, account)
    device = storage.devices[UUID(str(session.device_id))]
    before = told_endings(storage)
    at = NOW + TOKENS_LIVE
    assert use_cases.enter_again(storage, account, device, at) == at
    assert told_endings(storage) == before
    assert storage.sessions[session.id].ended_at == at, "its refresh token is of no use all the same"


def test_of_one_that_an_access_token_may_outlive_they_hear(storage: FakeStorage, account: Account) -> None:
    session, _ = log_in(storage, account)
    device = storage.devices[UUID(str(session.device_id))]
    at = NOW + TOKENS_LIVE - TICK
    assert use_cases.enter_again(storage, account, device, at) == at
    assert told_endings(storage)[-1] == at


def told_endings(storage: FakeStorage) -> list[datetime]:
    return [event.data["issued_before"] for event in storage.tx.events("account.sessions_ended.v1")]


def test_a_log_in_that_ends_a_session_tells_it(storage: FakeStorage, account: Account) -> None:
    """``vssid reconcile`` finds an ending that history was not told, and its tokens would live on."""
    session, _ = log_in(storage, account)
    before = told_endings(storage)
    log_in(storage, account, storage.device(session.device_id))
    assert told_endings(storage) == [*before, NOW + TICK], "a token issued at NOW is one of before"
    for _ in range(MOST_DEVICES - 1):
        log_in(storage, account)
    assert told_endings(storage) == [*before, NOW + TICK], "no session has ended"
    log_in(storage, account)
    *earlier, last = told_endings(storage)
    assert earlier == [*before, NOW + TICK], "a device was forgotten, and that is told once"
    assert last in (NOW + TICK, NOW + TICK * 2), "whichever it was"


def test_a_refresh_token_is_good_once_and_its_answer_may_be_asked_for_again(
    storage: FakeStorage, account: Account
) -> None:
    session, first = log_in(storage, account)
    second = PROOFS.following(first)
    assert use(storage, first) == session
    assert use(storage, first, LATER + timedelta(seconds=9)) == session, "its answer was lost"
    assert storage.refreshes[session.id].token_hash == PROOFS.hash(second)
    assert use(storage, second, LATER + timedelta(minutes=1)) == session


@pytest.mark.parametrize("used_after", [0, 1, 5])
def test_a_token_that_is_used_again_ends_the_session_and_its_holder_is_told(
    storage: FakeStorage, account: Account, used_after: int
) -> None:
    session, stolen = log_in(storage, account)
    token, now = stolen, LATER
    for _ in range(used_after + 1):
        assert use(storage, token, now)
        token, now = PROOFS.following(token), now + timedelta(minutes=15)
    assert use(storage, stolen, now) is None
    for refused in (token, stolen):
        with pytest.raises(refusals.TokenInvalid):
            use(storage, refused, now)
    assert storage.sessions[session.id].ended_at == now
    told = storage.tx.events("account.notice_due.v1")[-1].data
    assert (told["kind"], told["exact_kind"]) == ("new_device", "session_copied")
    assert storage.tx.events("account.sessions_ended.v1")[-1].data["issued_before"] == now


def test_a_token_that_never_was_ends_nothing(storage: FakeStorage, account: Account) -> None:
    session, token = log_in(storage, account)
    for stranger in (PROOFS.new(session.id), PROOFS.new(uuid4()), PROOFS.following(PROOFS.new(session.id))):
        with pytest.raises(refusals.TokenInvalid):
            use(storage, stranger)
    assert use(storage, token) == session


@pytest.mark.parametrize(("idle", "longest"), [(30, 180), (180, 30)])
def test_a_session_is_over_when_it_was_not_used_and_at_the_longest(idle: int, longest: int) -> None:
    lifetimes = Lifetimes(timedelta(days=idle), timedelta(days=longest))
    refresh = Refresh(uuid4(), NOW, b"one", NOW)
    assert refresh.use(b"one", NOW + timedelta(days=30) - timedelta(seconds=1), lifetimes) is Use.DUE
    assert refresh.use(b"one", NOW + timedelta(days=30), lifetimes) is Use.UNKNOWN


def test_a_citizens_session_lasts_180_days_at_the_most_however_much_it_is_used(
    storage: FakeStorage, account: Account
) -> None:
    told = load(Settings, GOOD)
    assert (
        Lifetimes(timedelta(days=told.session_idle_days), timedelta(days=told.session_longest_days))
        == LIFETIMES
    )
    session, token = log_in(storage, account)
    ends = session.started_at + timedelta(days=180)
    for day in range(1, 180):
        assert use(storage, token, session.started_at + timedelta(days=day)), "it was used, and in time"
        token = PROOFS.following(token)
    with pytest.raises(refusals.TokenInvalid):
        use(storage, token, ends)
    assert use(storage, token, ends - TICK)


@pytest.mark.parametrize("text", ["", "x", "ä" * 64, "A" * 64 + "=", "A" * 63 + "!"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(refusals.TokenInvalid):
        PROOFS.owner(text)


def test_nobody_without_the_key_knows_the_following_token() -> None:
    token = PROOFS.new(uuid4())
    assert PROOFS.following(token) == PROOFS.following(token)
    assert ProofTokens(b"another key").following(token) != PROOFS.following(token)
    assert PROOFS.owner(PROOFS.following(token)) == PROOFS.owner(token)


def test_devices_are_listed_and_ended_one_by_one(storage: FakeStorage, account: Account) -> None:
    phone, phone_token = log_in(storage, account)
    tablet, _ = log_in(storage, account)
    assert set(listed(storage, phone)) == {phone.device_id, tablet.device_id}
    assert tablet.device_id is not None
    use_cases.end_device(storage, claims_of(phone), tablet.device_id, LATER)
    with pytest.raises(refusals.TokenInvalid):
        listed(storage, tablet)
    assert use(storage, phone_token) is not None
    assert listed(storage, phone) == [phone.device_id]


def test_a_device_that_is_logged_out_or_was_not_used_for_long_is_not_listed(
    storage: FakeStorage, account: Account
) -> None:
    phone, phone_token = log_in(storage, account)
    tablet, _ = log_in(storage, account)
    old, _ = log_in(storage, account)
    use_cases.log_out(storage, claims_of(tablet), LATER)
    assert set(listed(storage, phone)) == {phone.device_id, old.device_id}
    assert use(storage, phone_token, NOW + timedelta(days=29))
    assert listed(storage, phone, NOW + timedelta(days=31)) == [phone.device_id]


def test_a_token_issued_while_a_slower_ending_was_under_way_is_ended_too(
    storage: FakeStorage, account: Account
) -> None:
    """Whoever ends sessions read the clock, then waited for the one who was refreshing."""
    session, token = log_in(storage, account)
    refreshed = issued(storage, token, LATER)
    assert refreshed is not None
    use_cases.log_out_everywhere(storage, claims_of(session), LATER - timedelta(seconds=1))
    assert told_endings(storage)[-1] > refreshed[1]


def test_a_repeated_answer_is_issued_when_the_first_was(storage: FakeStorage, account: Account) -> None:
    session, token = log_in(storage, account)
    assert issued(storage, token, LATER) == issued(storage, token, LATER + timedelta(seconds=5))
    slow = storage.refreshes[session.id].followed_by(b"next", LATER - timedelta(seconds=1))
    assert slow.refreshed_at == LATER, "another replica's clock is behind"


def test_nobody_ends_the_device_of_another(storage: FakeStorage, account: Account) -> None:
    other = verified(storage, code="0987654321", document_number="001190000099", phone="+84933333333")
    mine, _ = log_in(storage, account)
    theirs, their_token = log_in(storage, other)
    assert theirs.device_id is not None
    for device_id in (theirs.device_id, uuid4()):
        with pytest.raises(refusals.DeviceUnknown):
            use_cases.end_device(storage, claims_of(mine), device_id, LATER)
    assert use(storage, their_token) is not None
    device = storage.devices[theirs.device_id]
    assert use_cases.known_device(storage, account, device.id, device.token_hash) is None
    assert use_cases.known_device(storage, other, device.id, b"another hash") is None
    assert use_cases.known_device(storage, other, device.id, device.token_hash) == device


def test_everywhere_is_everywhere(storage: FakeStorage, account: Account) -> None:
    sessions = [log_in(storage, account) for _ in range(3)]
    use_cases.log_out_everywhere(storage, claims_of(sessions[0][0]), LATER)
    for session, token in sessions:
        with pytest.raises(refusals.TokenInvalid):
            use(storage, token)
        with pytest.raises(refusals.TokenInvalid):
            listed(storage, session)
    assert storage.devices == {}


def test_logging_out_ends_this_session_alone_and_again_is_nothing(
    storage: FakeStorage, account: Account
) -> None:
    phone, phone_token = log_in(storage, account)
    _, tablet_token = log_in(storage, account)
    for _ in range(2):
        use_cases.log_out(storage, claims_of(phone), LATER)
    assert len(storage.tx.events("account.sessions_ended.v1")) == 1
    with pytest.raises(refusals.TokenInvalid):
        use(storage, phone_token)
    assert use(storage, tablet_token) is not None


def test_a_new_device_is_told_unless_it_is_the_first_and_a_known_one_is_not(
    storage: FakeStorage, account: Account
) -> None:
    device = Device(uuid4(), account.id, "máy", uuid4().bytes, NOW, NOW)
    first = samples.issued(account.id, reason=None)
    use_cases.enter_anew(storage, account, device, first, NOW)
    assert notices(storage) == []
    _, phone_token = log_in(storage, account, device)
    assert notices(storage) == []
    log_in(storage, account, used=first)
    assert notices(storage) == ["new_device"]
    log_in(storage, account, replace(device, last_seen_at=LATER))
    assert notices(storage) == ["new_device"]
    with pytest.raises(refusals.TokenInvalid):
        use(storage, phone_token)


def test_a_known_device_that_is_forgotten_while_its_password_is_looked_at_stays_forgotten(
    storage: FakeStorage, account: Account
) -> None:
    session, _ = log_in(storage, account)
    device = storage.devices[UUID(str(session.device_id))]
    use_cases.log_out_everywhere(storage, claims_of(session), LATER)
    assert use_cases.enter_again(storage, account, device, LATER) is None
    assert storage.devices_of(account.id, 1) == []


def test_a_device_that_proves_itself_by_another_token_since_is_not_in_use_by_the_one_before(
    storage: FakeStorage, account: Account
) -> None:
    session, _ = log_in(storage, account)
    before = storage.devices[UUID(str(session.device_id))]
    assert use_cases.is_logged_in(storage, before, lifetimes=LIFETIMES, now=LATER)
    storage.save_device(replace(before, token_hash=b"another"))
    assert not use_cases.is_logged_in(storage, before, lifetimes=LIFETIMES, now=LATER)


@pytest.mark.parametrize("how", ["everywhere", "forgotten"])
@pytest.mark.parametrize("spoken", [True, False])
def test_a_new_device_is_told_where_none_is_known_any_more(
    storage: FakeStorage, account: Account, how: str, spoken: bool
) -> None:
    """Whoever logs out everywhere fears that somebody else has the password."""
    session, _ = log_in(storage, account)
    before = len(notices(storage))
    if how == "everywhere":
        use_cases.log_out_everywhere(storage, claims_of(session), LATER)
    else:
        storage.forget_log_ins(before=LATER, limit=100)
    assert storage.devices_of(account.id, 1) == []
    read_aloud = samples.issued(account.id, reason="hotline", channel="voice")
    log_in(storage, account, used=read_aloud if spoken else None)
    assert notices(storage)[before:] == ["new_device"]


def test_the_first_passwords_session_sees_and_ends_no_devices(storage: FakeStorage, account: Account) -> None:
    other, token = log_in(storage, account)
    first, _ = log_in(storage, account, used=samples.issued(account.id, valid_until=NOW + timedelta(hours=1)))
    assert first.must_change_password
    assert other.device_id is not None
    with pytest.raises(refusals.PasswordChangeRequired):
        listed(storage, first)
    with pytest.raises(refusals.PasswordChangeRequired):
        use_cases.end_device(storage, claims_of(first), other.device_id, LATER)
    with pytest.raises(refusals.PasswordChangeRequired):
        use_cases.log_out_everywhere(storage, claims_of(first), LATER)
    assert use(storage, token) == other
    use_cases.log_out(storage, claims_of(first), LATER)
    with pytest.raises(refusals.TokenInvalid):
        use_cases.live_session(storage, claims_of(first))


def test_an_account_keeps_so_many_devices(storage: FakeStorage, account: Account) -> None:
    for _ in range(MOST_DEVICES + 5):
        log_in(storage, account)
    assert len(storage.devices) == MOST_DEVICES


def test_the_name_of_a_device_is_one_short_line() -> None:
    assert device_name(" Điện thoại\n của   Thử ") == "Điện thoại của Thử"
    assert device_name(None) == ""
    assert len(device_name("x" * 500)) == 100


def hash_of(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


class TwoHands(RuleBasedStateMachine):
    """The holder uses each token once. Whoever else uses one of them, before or after, is seen at the latest
    when the other of the two comes next; until then there is one chain."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.refresh = Refresh(uuid4(), NOW, hash_of(0), NOW)
        self.due = 0

    def used(self, number: int) -> Use:
        use = self.refresh.use(hash_of(number), self.now, LIFETIMES)
        if use is Use.DUE:
            self.refresh = self.refresh.followed_by(hash_of(number + 1), self.now)
            self.due = number + 1
        return use

    @rule(minutes=st.integers(1, 1000))
    def holder(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        assert self.used(self.due) is Use.DUE

    @rule(seconds=st.integers(0, 9))
    def asks_again_at_once(self, seconds: int) -> None:
        self.now += timedelta(seconds=1)
        assert self.used(self.due) is Use.DUE
        assert self.used(self.due - 1) is Use.REPEATED

    @rule(back=st.integers(1, FORMER_KEPT), seconds=st.integers(10, 10**5))
    def thief(self, back: int, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        if back <= self.due:
            assert self.used(self.due - back) is Use.STOLEN

    @rule(number=st.integers(10**6, 10**7))
    def guesses(self, number: int) -> None:
        assert self.used(number) is Use.UNKNOWN

    @invariant()
    def is_bounded(self) -> None:
        assert len(self.refresh.former) <= FORMER_KEPT


TestTwoHands = TwoHands.TestCase
TestTwoHands.settings = hypothesis_settings(max_examples=50, stateful_step_count=40, deadline=None)
