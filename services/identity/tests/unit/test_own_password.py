"""What asks for the own password in a session, guesses at it, and a change asked for twice: on fakes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.identity import guessing, refusals, sign_in, use_cases
from services.identity.credentials import Claims, Session
from services.identity.parts import now
from services.identity.tests.unit.stage import OWN, SPOKEN, PlainPasswords, Stage
from services.identity.tests.unit.test_throttle import FakeCounter
from services.identity.throttle import Throttle

NEW, GUESS = "một con vịt xoè ra hai cái cánh", "a guess"


class Passwords(PlainPasswords):
    """While one is looked at, others do something."""

    meanwhile: Callable[[], object] | None = None

    def find(self, credentials: Any, password: str) -> Any:
        found = super().find(credentials, password)
        if self.meanwhile:
            self.meanwhile()
        return found


class Full(dict[Any, int]):
    """Counters that others have filled."""

    def get(self, _key: Any, _default: Any = None) -> int:
        return 10**6


class Hand:
    """Somebody who holds a session's token."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.counter, self.passwords = stage, FakeCounter(), Passwords()
        stage.parts.throttle = Throttle(self.counter, FakeCounter())
        stage.parts.passwords = self.passwords
        tx = stage.storage.tx
        stage.db = SimpleNamespace(
            transaction=lambda: nullcontext(tx), change=lambda do: do(tx), autocommit=lambda ask: ask(tx)
        )
        self.reply = stage.log_in(OWN)
        (self.session,) = stage.storage.sessions.values()
        self.claims = claims_of(self.session)

    def change(self, old: str = OWN, new: str = NEW) -> Any:
        return sign_in.change_password(self.stage.db, self.stage.parts, claims=self.claims, old=old, new=new)

    def withdraw(self, password: str = OWN) -> Any:
        return sign_in.withdraw_consent(
            self.stage.db, self.stage.parts, claims=self.claims, password=password
        )

    def others_fill_the_counters(self) -> None:
        """While the next password is looked at."""

        def fill() -> None:
            self.counter.hits = Full()

        self.passwords.meanwhile = fill

    @property
    def live(self) -> list[Session]:
        return [session for session in self.stage.storage.sessions.values() if session.ended_at is None]

    @property
    def told(self) -> list[Any]:
        """Of whom it is to be found out whether they are told of guesses."""
        return self.stage.storage.tx.due(guessing.TELL_THROTTLED)


def claims_of(session: Session) -> Claims:
    return Claims(session.account.id, session.account.code, session.scope, session.id)


@pytest.fixture
def hand(stage: Stage) -> Hand:
    return Hand(stage)


# --- guesses -------------------------------------------------------------------------------------


def log_in(hand: Hand) -> Any:
    return hand.stage.log_in(OWN)


def log_in_on_a_known_device(hand: Hand) -> Any:
    token = hand.reply["sealed_device_token"].removeprefix("gateway: ")
    return hand.stage.log_in(OWN, device_token=token)


def log_in_with_a_spoken_one_while_strangers_guess(hand: Hand) -> Any:
    user = hand.stage.account.code
    hand.counter.hits["log_in_user", user] = 100
    return hand.stage.log_in(SPOKEN)


def change(hand: Hand) -> Any:
    return hand.change()


def change_again(hand: Hand) -> Any:
    meanwhile, hand.passwords.meanwhile = hand.passwords.meanwhile, None
    hand.change()
    hand.passwords.meanwhile = meanwhile
    return hand.change()


def withdraw(hand: Hand) -> Any:
    return hand.withdraw()


WAYS = (
    log_in,
    log_in_on_a_known_device,
    log_in_with_a_spoken_one_while_strangers_guess,
    change,
    change_again,
    withdraw,
)


def holds_a_right_one_back(hand: Hand, way: Callable[[Hand], Any]) -> None:
    """The proof: of many guesses at once no more are answered than of guesses in turn, the right one too."""
    hand.others_fill_the_counters()
    with pytest.raises(refusals.TooManyTries):
        way(hand)


@pytest.mark.proves("F13")
@pytest.mark.parametrize("way", WAYS)
def test_a_right_password_is_held_back_too_where_others_used_the_limit_up_meanwhile(
    hand: Hand, way: Callable[[Hand], Any]
) -> None:
    holds_a_right_one_back(hand, way)
    assert hand.stage.storage.tx.events("account.log_in_otp_requested.v1") == []


@pytest.mark.planted("F13")
@pytest.mark.parametrize("way", WAYS)
def test_a_right_password_that_is_told_beyond_the_limit_would_be_seen(
    hand: Hand, way: Callable[[Hand], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guessing, "tried", lambda _db, _parts, _tries, _account, find: find())
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        holds_a_right_one_back(hand, way)


def test_in_one_session_all_wrong_passwords_count_together_and_the_holder_is_told(hand: Hand) -> None:
    for number in range(10):
        assert hand.told == []
        with pytest.raises(refusals.OldPasswordWrong):
            hand.change(GUESS) if number % 2 else hand.withdraw(GUESS)
    assert [due.key for due in hand.told] == [str(hand.stage.account.id)]
    for ask in (hand.change, hand.withdraw):
        with pytest.raises(refusals.TooManyTries):
            ask()
    assert len(hand.stage.storage.live_credentials(hand.stage.account.id)) == 2


def test_who_guesses_in_one_session_holds_nobody_back_in_another(hand: Hand) -> None:
    for _ in range(10):
        with pytest.raises(refusals.OldPasswordWrong):
            hand.change(GUESS)
    hand.stage.log_in(OWN)
    hand.claims = claims_of(list(hand.stage.storage.sessions.values())[-1])
    assert hand.change()["sealed_refresh_token"]


def test_only_the_password_that_was_chosen_closes_the_account(hand: Hand) -> None:
    """Not one that was read aloud to whoever called, let alone when its time is over."""
    with pytest.raises(refusals.OldPasswordWrong):
        hand.withdraw(SPOKEN)
    assert len(hand.stage.storage.live_credentials(hand.stage.account.id)) == 2
    assert hand.live == [hand.session]


# --- a change that is asked for twice --------------------------------------------------------------


def test_the_same_change_again_is_answered_with_a_session_on_the_same_device(hand: Hand) -> None:
    hand.change()
    assert hand.change()["sealed_refresh_token"]
    assert {session.device_id for session in hand.live} == {hand.session.device_id}
    assert len(hand.live) == 2
    with pytest.raises(refusals.TokenInvalid):
        hand.change(new="một mật khẩu khác hẳn")


def test_a_change_is_repeated_in_its_own_session_alone(hand: Hand) -> None:
    hand.stage.log_in(OWN)
    other = list(hand.stage.storage.sessions.values())[-1]
    hand.change()
    changed = hand.claims
    strangers = (claims_of(other), replace(changed, account_id=uuid4()), replace(changed, session_id=uuid4()))
    for claims in strangers:
        hand.claims = claims
        with pytest.raises(refusals.TokenInvalid):
            hand.change()
    assert len(hand.live) == 1


def test_the_new_password_is_guessed_no_more_often_than_the_old_one(hand: Hand) -> None:
    """By whoever holds a copy of the token of the session in which it was set."""
    hand.change()
    for _ in range(10):
        with pytest.raises(refusals.TokenInvalid):
            hand.change(new=GUESS)
    with pytest.raises(refusals.TooManyTries):
        hand.change()
    assert len(hand.told) == 1
    assert len(hand.live) == 1


def test_a_change_is_repeated_for_two_minutes(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    hand.change()
    changed = hand.stage.storage.sessions[hand.session.id].ended_at
    assert changed is not None
    for seconds, repeated in ((119, True), (120, False)):
        monkeypatch.setattr(sign_in, "now", lambda seconds=seconds: changed + timedelta(seconds=seconds))
        if repeated:
            assert hand.change()["sealed_refresh_token"]
        else:
            with pytest.raises(refusals.TokenInvalid):
                hand.change()


@pytest.mark.parametrize("how", ["session ended", "device ended", "everywhere"])
def test_a_change_is_not_repeated_where_nobody_is_logged_in_any_more(hand: Hand, how: str) -> None:
    hand.change()
    end_what_the_change_began(hand, how)
    with pytest.raises(refusals.TokenInvalid):
        hand.change()
    assert hand.live == []


@pytest.mark.parametrize("how", ["session ended", "device ended", "everywhere"])
def test_nor_where_that_ended_while_the_password_was_looked_at(hand: Hand, how: str) -> None:
    hand.change()
    hand.passwords.meanwhile = lambda: end_what_the_change_began(hand, how)
    with pytest.raises(refusals.TokenInvalid):
        hand.change()
    assert hand.live == []


def end_what_the_change_began(hand: Hand, how: str) -> None:
    storage, (began,) = hand.stage.storage, hand.live
    assert began.device_id is not None
    if how == "session ended":
        use_cases.log_out(storage, claims_of(began), now())
    elif how == "device ended":
        use_cases.end_device(storage, claims_of(began), began.device_id, now())
    else:
        use_cases.log_out_everywhere(storage, claims_of(began), now())


@pytest.mark.parametrize("end", [use_cases.log_out, use_cases.log_out_everywhere])
def test_nothing_is_changed_in_a_session_that_ended_while_the_password_was_looked_at(
    hand: Hand, end: Callable[..., None]
) -> None:
    before = hand.stage.storage.live_credentials(hand.stage.account.id)
    hand.passwords.meanwhile = lambda: end(hand.stage.storage, hand.claims, now())
    with pytest.raises(refusals.TokenInvalid):
        hand.change()
    assert hand.live == []
    told = hand.stage.storage.tx.events("account.notice_due.v1")
    assert "password_changed" not in [event.data["kind"] for event in told]
    assert hand.stage.storage.live_credentials(hand.stage.account.id) == before
