"""The second factor of staff: codes as RFC 6238 has them, and log-ins around them on fakes."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from services.identity import staff_totp, totp, use_cases
from services.identity.domain import StaffAccount
from services.identity.refusals import LogInFailed, TooManyTries
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.staff_desk import ANOTHER, HANDED_OVER, NOW, PASSWORD, STEP, USER, Desk
from services.identity.totp import EnrolmentCodeRequired, EnrolmentCodeWrong, TotpRequired, TotpWrong

RFC_SECRET = b"12345678901234567890"


# --- codes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    """RFC 6238, appendix B, SHA-1: eight digits, of which six are the last."""
    at = datetime.fromtimestamp(seconds, UTC)
    step = totp.step_at(at)
    assert totp.code_of(RFC_SECRET, step, digits=8) == code
    assert totp.code_of(RFC_SECRET, step) == code[2:]
    assert totp.step_of(RFC_SECRET, code[2:], at) == step


@pytest.mark.parametrize(("steps_off", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(steps_off: int, fits: bool) -> None:
    step = totp.step_at(NOW)
    found = totp.step_of(RFC_SECRET, totp.code_of(RFC_SECRET, step + steps_off), NOW)
    assert found == (step + steps_off if fits else None)


@pytest.mark.parametrize("code", ["", "1", "1234567", "no code", "１２３４５６", "mã số"])
def test_what_is_no_code_fits_no_step(code: str) -> None:
    assert totp.step_of(RFC_SECRET, code, NOW) is None


def test_a_secret_is_of_one_member_one_seed_and_the_services_own_key() -> None:
    staff_id = UUID(int=1)
    secret = totp.secret_of("key", staff_id, b"seed")
    assert secret == totp.secret_of("key", staff_id, b"seed")
    others = (
        totp.secret_of("another", staff_id, b"seed"),
        totp.secret_of("key", UUID(int=2), b"seed"),
        totp.secret_of("key", staff_id, b"sees"),
    )
    assert len({secret, *others}) == 4
    assert {len(one) for one in (secret, *others)} == {20}


def test_the_app_reads_who_of_what_and_the_secret() -> None:
    uri = urlsplit(totp.uri_of(RFC_SECRET, "mai.tran"))
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/VssID:mai.tran")
    told = {name: values[0] for name, values in parse_qs(uri.query).items()}
    assert told == {
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "issuer": "VssID",
        "algorithm": "SHA1",
        "digits": "6",
        "period": "30",
    }


# --- log-ins -------------------------------------------------------------------------------------


def test_the_operators_code_shows_a_secret_and_the_first_code_makes_it_final(desk: Desk) -> None:
    secret = desk.shown()
    assert desk.sessions == 0
    reply = desk.log_in(desk.code(secret))
    assert reply["sealed_staff_token"].startswith("gateway ")
    assert [action for action, *_ in desk.storage.audit_rows()] == ["totp_enrolled", "logged_in"]
    with pytest.raises(TotpRequired) as refused:
        desk.log_in()
    assert [problem.field for problem in refused.value.problems] == ["totp"]


def test_neither_the_table_nor_what_is_printed_of_a_member_gives_the_secret(desk: Desk) -> None:
    secret = desk.enrolled()
    assert desk.member.totp_seed is not None
    assert secret not in (desk.member.totp_seed, desk.member.totp_seed[:20])
    assert repr(desk.member.totp_seed) not in repr(desk.member)


def test_a_secret_that_is_shown_again_makes_the_one_before_void(desk: Desk) -> None:
    before, after = desk.shown(), desk.shown()
    with pytest.raises(TotpWrong):
        desk.log_in(desk.code(before))
    assert desk.log_in(desk.code(after))["sealed_staff_token"]


def test_no_secret_is_shown_for_a_wrong_password_or_with_the_setting_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch)
    with pytest.raises(LogInFailed):
        desk.log_in(password="wrong")
    assert desk.member.totp_seed is None
    off = Desk(monkeypatch, staff_totp=False)
    assert off.log_in()["sealed_staff_token"]
    assert off.member.totp_seed is None


def test_a_wrong_password_is_refused_alike_with_a_right_code_and_without(desk: Desk) -> None:
    secret = desk.enrolled()
    desk.now += STEP
    for code in (None, "000000", desk.code(secret)):
        with pytest.raises(LogInFailed):
            desk.log_in(code, password="wrong")
    assert desk.log_in(desk.code(secret))["sealed_staff_token"]


def refuses_what_was_used(desk: Desk) -> None:
    """The proof: a code is good once, and none of a step before it is good any more."""
    secret = desk.enrolled()
    used = desk.code(secret)
    desk.now += STEP
    for code in (used, desk.code(secret, -1)):
        with pytest.raises(TotpWrong):
            desk.log_in(code)
    assert desk.sessions == 1
    desk.log_in(desk.code(secret, 1))
    for steps_off in (-1, 0, 1):
        with pytest.raises(TotpWrong):
            desk.log_in(desk.code(secret, steps_off))
    assert desk.sessions == 2


def test_a_code_is_good_once_and_older_ones_never_again(desk: Desk) -> None:
    refuses_what_was_used(desk)


def test_a_code_that_is_taken_twice_is_seen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted twin: the step is not remembered."""
    monkeypatch.setattr(FakeStorage, "use_totp", lambda *_: True)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        refuses_what_was_used(desk)


def test_spaces_in_a_code_do_not_matter(desk: Desk) -> None:
    code = desk.code(desk.shown())
    assert desk.log_in(f" {code[:3]} {code[3:]} ")["sealed_staff_token"]


def answered(desk: Desk, code: str, address: str, most: int = 30) -> int:
    """How many log-ins with a wrong code are answered, each from another address."""
    for number in range(most):
        try:
            desk.log_in(code, address=f"{address} {number}")
        except TotpWrong:
            continue
        except TooManyTries:
            return number
    return most


def test_codes_are_guessed_ten_times_from_wherever_and_then_the_right_one_waits_too(desk: Desk) -> None:
    secret = desk.enrolled()
    desk.now += STEP
    wrong = f"{(int(desk.code(secret)) + 1) % 10**6:06d}"
    assert answered(desk, wrong, "address") == 10
    with pytest.raises(TooManyTries):
        desk.log_in(desk.code(secret), address="the owner's")


def test_a_stranger_without_the_password_does_not_hold_the_owner_back(desk: Desk) -> None:
    secret = desk.enrolled()
    desk.now += STEP
    for number in range(30):
        with pytest.raises(LogInFailed):
            desk.log_in("123456", password="guess", address=f"address {number}")
    assert desk.log_in(desk.code(secret), address="the owner's")["sealed_staff_token"]


def test_of_a_wrong_code_the_log_has_the_members_id_and_nothing_that_was_typed(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    used = desk.code(desk.enrolled())
    assert caplog.records == []
    with pytest.raises(TotpWrong):
        desk.log_in(used)
    (record,) = caplog.records
    said = str(record.msg)
    assert "password was right" in said
    assert str(desk.id) in said
    assert "TotpWrong" in said
    assert all(typed not in said for typed in (used, PASSWORD, f"'{USER}'"))


def test_a_replayed_code_counts_as_a_wrong_one(desk: Desk) -> None:
    used = desk.code(desk.enrolled())
    assert answered(desk, used, "address") == 10


def test_a_lost_phone_is_reset_by_an_operator_and_every_session_ends(desk: Desk) -> None:
    before = desk.enrolled()
    assert use_cases.reset_totp(desk.storage, USER, ANOTHER, by="operator", now=NOW)
    assert desk.sessions == 0
    assert desk.storage.audit_rows()[-1] == ("totp_reset", None, {"by": "operator"})
    after = desk.shown(ANOTHER)
    assert after != before
    with pytest.raises(TotpWrong):
        desk.log_in(desk.code(before))
    assert desk.log_in(desk.code(after))["sealed_staff_token"]
    assert not use_cases.reset_totp(desk.storage, "nobody", ANOTHER, by="operator", now=NOW)


def test_an_app_that_was_set_up_meanwhile_is_not_shown_anew(desk: Desk) -> None:
    database: Any = SimpleNamespace(transaction=lambda: nullcontext())
    before = desk.member
    desk.enrolled()
    with pytest.raises(EnrolmentCodeWrong):
        staff_totp.enrol(database, desk.parts, before, HANDED_OVER)


# --- the code of the operator --------------------------------------------------------------------


def needs_the_operators_code(desk: Desk) -> None:
    """The proof: whoever has nothing but the password sets no app up."""
    for given in (None, "123456"):
        with pytest.raises(EnrolmentCodeRequired) as refused:
            desk.log_in(given)
    assert [problem.field for problem in refused.value.problems] == ["enrolment_code"]
    with pytest.raises(EnrolmentCodeWrong):
        desk.log_in(enrolment_code=ANOTHER)
    assert desk.member.totp_seed is None


def test_the_password_alone_sets_no_app_up(desk: Desk) -> None:
    needs_the_operators_code(desk)
    with pytest.raises(LogInFailed):
        desk.log_in(password="wrong", enrolment_code=HANDED_OVER)
    assert desk.shown()


def test_an_app_that_is_set_up_by_the_password_alone_is_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted twin: the operator's code is not asked for."""
    enrol = staff_totp.enrol
    monkeypatch.setattr(
        staff_totp, "enrol", lambda db, parts, member, _code: enrol(db, parts, member, HANDED_OVER)
    )
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        needs_the_operators_code(desk)


def test_a_member_to_whom_none_was_handed_over_asks_the_operator(desk: Desk) -> None:
    """As of before there were such codes, or where ``STAFF_TOTP`` was off until now."""
    desk.storage.staff[USER] = replace(desk.member, enrolment_hash=None, enrolment_until=None)
    for code, refusal in ((None, EnrolmentCodeRequired), ("", EnrolmentCodeWrong)):
        with pytest.raises(refusal):
            desk.log_in(enrolment_code=code)
    use_cases.reset_totp(desk.storage, USER, ANOTHER, by="operator", now=NOW)
    assert desk.shown(ANOTHER)


def test_the_operators_code_is_good_for_72_hours_however_it_is_typed(desk: Desk) -> None:
    desk.now += timedelta(hours=72) - timedelta(seconds=1)
    assert desk.shown(" mfrg gzdf-mztwq2lk")
    desk.now += timedelta(seconds=1)
    with pytest.raises(EnrolmentCodeWrong):
        desk.log_in(enrolment_code=HANDED_OVER)


def test_the_operators_code_is_good_once(desk: Desk) -> None:
    desk.enrolled()
    assert (desk.member.enrolment_hash, desk.member.enrolment_until) == (None, None)
    desk.now += STEP
    with pytest.raises(TotpRequired):
        desk.log_in(enrolment_code=HANDED_OVER)


def gets_in_beside_somebody_with_the_first_password(desk: Desk) -> None:
    """The proof: who knows the first password, as whoever handed it over, guesses at both codes."""
    for number in range(30):
        with pytest.raises(EnrolmentCodeWrong):
            desk.log_in(enrolment_code=ANOTHER, address=f"address {number}")
    secret = desk.shown()
    wrong = f"{(int(desk.code(secret)) + 1) % 10**6:06d}"
    assert answered(desk, wrong, "address") == 10, "the app's six digits"
    reply = desk.log_in(desk.code(secret), enrolment_code=HANDED_OVER)
    assert reply["sealed_staff_token"]


def test_nobody_keeps_an_officer_from_setting_the_app_up(desk: Desk) -> None:
    gets_in_beside_somebody_with_the_first_password(desk)


def test_a_lock_in_the_hands_of_whoever_knows_the_first_password_is_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted twin: wrong codes of the operator count for the user, wherever from."""
    enrol = staff_totp.enrol

    def counting(db: Any, parts: Any, member: StaffAccount, code: str | None) -> Any:
        tries = staff_totp.tries_of(parts, member)
        parts.throttle.check(tries)
        if not staff_totp.is_handed_over(member, code):
            parts.throttle.note_wrong(tries)
        return enrol(db, parts, member, code)

    monkeypatch.setattr(staff_totp, "enrol", counting)
    with pytest.raises(TooManyTries):
        gets_in_beside_somebody_with_the_first_password(desk)


def test_the_operators_code_is_guessed_ten_times_from_one_address(desk: Desk) -> None:
    for _ in range(10):
        with pytest.raises(EnrolmentCodeWrong):
            desk.log_in(enrolment_code=ANOTHER)
    with pytest.raises(TooManyTries):
        desk.log_in(enrolment_code=ANOTHER)


def test_a_disabled_officer_is_not_reset(desk: Desk) -> None:
    use_cases.disable_staff(desk.storage, USER, by="operator", now=NOW)
    assert not use_cases.reset_totp(desk.storage, USER, ANOTHER, by="operator", now=NOW)


def test_operators_codes_are_80_random_bits_in_fours() -> None:
    codes = {totp.new_enrolment_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(re.fullmatch(r"[A-Z2-7]{4}(-[A-Z2-7]{4}){3}", code) for code in codes)
