"""The hotline: who is given a password, whose requests count, and the second step of the log-in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import psycopg
import pytest

from services.identity import credentials, domain, hotline, refusals, signatures, use_cases
from services.identity.credentials import CredentialState
from services.identity.domain import Account, ContactChange
from services.identity.hotline import Flaw, HotlineKey, HotlineMismatch, SignatureInvalid, call_of
from services.identity.log_in_otp import LogInOtp, OtpExpired, OtpWrong
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW
from services.identity.use_cases import accounts
from shared.testing.voice_platform import COVERED, PATH, VoicePlatform, heard

LATER = NOW + timedelta(hours=1)
CODE, PHONE = "0123456789", "0912345678"


@pytest.fixture
def account(storage: FakeStorage) -> Account:
    """Somebody with an account and a password of the own."""
    person = domain.Person(uuid4(), samples.applicant(personal_number="001190000001"), NOW)
    storage.save_person(person)
    account = storage.save_account(samples.account(person.id), NOW)
    storage.add_credential(samples.active(account.id), str(uuid4()), NOW)
    return account


def reissue(
    storage: FakeStorage, caller: str = PHONE, code: str = CODE, now: datetime = NOW
) -> credentials.Credential:
    made = use_cases.VoicePassword(uuid4(), uuid4(), "a hash")
    return use_cases.reissue(storage, call_of(caller, code), made, valid_hours=24, now=now)


# --- what is heard, and what is read -------------------------------------------------------------


@pytest.mark.parametrize(
    "caller", ["0912345678", "+84912345678", "84912345678", "0084912345678", "0912 345 678"]
)
@pytest.mark.parametrize("code", ["0123456789", "012 345 67 89", "0123.456.789"])
def test_number_and_code_are_heard_in_any_writing(caller: str, code: str) -> None:
    assert hotline.call_of(caller, code) == hotline.Call("+84912345678", "0123456789")


@pytest.mark.parametrize(("caller", "code"), [("12345", "xin chào"), ("+1 202 555 0100", "123")])
def test_what_is_no_number_and_no_code_belongs_to_nobody(
    storage: FakeStorage, account: Account, caller: str, code: str
) -> None:
    assert call_of(caller, code) == hotline.Call(None, None)
    with pytest.raises(HotlineMismatch):
        reissue(storage, caller, code)


@pytest.mark.proves("G2")
def test_the_password_is_read_in_pairs_twice_as_text_and_as_ssml() -> None:
    script = hotline.script_of("4821059733", 24)
    assert script.text.count("4 8, 2 1, 0 5, 9 7, 3 3") == 2
    assert heard(script.text) == "4821059733"
    assert "24 giờ" in script.text
    speak = ElementTree.fromstring(script.ssml)  # noqa: S314  our own
    assert speak.attrib["{http://www.w3.org/XML/1998/namespace}lang"] == "vi-VN"
    said = [node.text for node in speak.iter("{http://www.w3.org/2001/10/synthesis}say-as")]
    assert said == ["48", "21", "05", "97", "33"] * 2


# --- who is given one ----------------------------------------------------------------------------


@pytest.mark.proves("G2")
@pytest.mark.parametrize("code", [CODE, "001190000001"])
def test_number_and_code_together_give_a_password_and_the_one_in_use_lives_on(
    storage: FakeStorage, account: Account, code: str
) -> None:
    issued = reissue(storage, code=code)
    assert (issued.state, issued.reason, issued.channel) == (CredentialState.ISSUED, "hotline", "voice")
    assert issued.valid_until == NOW + timedelta(hours=24)
    states = [credential.state for credential in storage.live_credentials(account.id)]
    assert sorted(states) == [CredentialState.ACTIVE, CredentialState.ISSUED]
    assert storage.tx.events("account.sessions_ended.v1") == []
    (told,) = storage.tx.events("account.notice_due.v1")
    assert told.data["kind"] == "reissued"
    assert [channel["kind"] for channel in told.data["channels"]] == ["sms", "email"]
    assert storage.tx.events("credentials.issued.v1") == [], "nobody but the caller is given the password"


@pytest.mark.proves("G2")
@pytest.mark.parametrize(
    ("caller", "code"), [("0987654321", CODE), (PHONE, "9999999999"), ("0987654321", "9999999999")]
)
def test_another_number_and_an_unknown_code_are_the_same_answer(
    storage: FakeStorage, account: Account, caller: str, code: str
) -> None:
    with pytest.raises(HotlineMismatch) as refused:
        reissue(storage, caller, code)
    assert refused.value.vi == (
        "số điện thoại và mã số bảo hiểm không khớp hoặc chưa đăng ký với cơ quan BHXH"
    )
    assert (refused.value.problems, refused.value.details) == ((), {})
    assert len(storage.live_credentials(account.id)) == 1


@pytest.mark.planted("G2")
def test_a_caller_who_is_not_compared_would_be_seen(
    storage: FakeStorage, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotline, "is_callers", lambda _account, _call: True)
    with pytest.raises(pytest.fail.Exception):
        test_another_number_and_an_unknown_code_are_the_same_answer(storage, account, "0987654321", CODE)


def test_an_account_without_a_password_is_not_completed_or_closed(
    storage: FakeStorage, account: Account
) -> None:
    storage.end_credentials([c.id for c in storage.live_credentials(account.id)], NOW)
    with pytest.raises(HotlineMismatch):
        reissue(storage)


def test_while_the_desk_changes_the_contact_the_old_phone_is_nobodys(
    storage: FakeStorage, account: Account
) -> None:
    change = ContactChange(uuid4(), account.id, uuid4(), "+84987654321", account.email, "Mất máy", NOW)
    storage.add_contact_change(change)
    with pytest.raises(HotlineMismatch):
        reissue(storage)
    storage.end_contact_change(change.id, "refused", NOW)
    assert reissue(storage).account_id == account.id


def test_each_refusal_asks_the_same_of_the_database(
    storage: FakeStorage, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    for name in ("account_named", "lock_account", "account", "live_credentials", "is_contact_in_doubt"):
        real = getattr(storage, name)
        monkeypatch.setattr(
            storage, name, lambda *given, _name=name, _real=real: asked[-1].append(_name) or _real(*given)
        )
    for caller, code in ((PHONE, "9999999999"), ("0987654321", CODE), ("0987654321", "x")):
        asked.append([])
        with pytest.raises(HotlineMismatch):
            reissue(storage, caller, code)
    assert asked[0] == asked[1] == asked[2]


def test_the_next_one_ends_the_one_that_was_never_used(storage: FakeStorage, account: Account) -> None:
    first = reissue(storage)
    second = reissue(storage, now=LATER)
    issued = [c.id for c in storage.live_credentials(account.id) if c.state is CredentialState.ISSUED]
    assert issued == [second.id]
    assert storage.credentials[first.id].state is CredentialState.ENDED


def test_it_is_good_for_a_day(storage: FakeStorage, account: Account) -> None:
    issued = reissue(storage)
    assert credentials.scope_of(issued, NOW + timedelta(hours=23)) == credentials.SCOPE_PASSWORD_CHANGE
    with pytest.raises(refusals.FirstPasswordExpired):
        credentials.scope_of(issued, NOW + timedelta(hours=24))


@pytest.mark.parametrize("has_own", [True, False])
def test_at_another_contact_it_ends_and_whoever_has_no_other_gets_one_by_sms(
    storage: FakeStorage, account: Account, has_own: bool
) -> None:
    registration_id = uuid4()
    storage.add_credential(samples.issued(account.id), str(registration_id), NOW)
    reissue(storage)
    if not has_own:
        own = [c.id for c in storage.live_credentials(account.id) if c.state is CredentialState.ACTIVE]
        storage.end_credentials(own, NOW)
    accounts.give_up_contact(storage, account.id, LATER)
    live = storage.live_credentials(account.id)
    assert [credential.state for credential in live] == ([CredentialState.ACTIVE] if has_own else [])
    jobs = [due.key for due in storage.tx.due("issue_credential")]
    assert jobs == ([] if has_own else [f"{registration_id} 1"])


# --- whose requests count ------------------------------------------------------------------------

PLATFORM = VoicePlatform(key_id="voice-1")
KEYS = {"voice-1": HotlineKey("voice-1", "voice", PLATFORM.public_key.decode(), NOW)}


def verified(request: Any, body: str | None = None, clock_seconds: int = 300) -> signatures.Signed:
    headers = {name: request.headers[name] for name in hotline.SIGNED_HEADERS if name in request.headers}
    body = request.content.decode() if body is None else body
    return signatures.verified(headers, body, KEYS.get, clock_seconds=clock_seconds)


def test_the_stand_in_signs_what_we_verify() -> None:
    assert PATH == hotline.PATH
    signed = verified(PLATFORM.signed(PHONE, CODE, nonce="n" * 20, idempotency_key="one-and-the-same"))
    assert signed == signatures.Signed(KEYS["voice-1"], "n" * 20)


SUSPENDED = VoicePlatform(key_id="voice-0")
KEYS["voice-0"] = HotlineKey("voice-0", "voice", SUSPENDED.public_key.decode(), NOW, disabled_at=NOW)

BAD_REQUESTS = {
    "a foreign key": (Flaw.SIGNATURE, lambda: VoicePlatform(key_id="voice-1").signed(PHONE, CODE)),
    "an unknown key": (Flaw.KEY_UNKNOWN, lambda: VoicePlatform(key_id="other").signed(PHONE, CODE)),
    "a disabled key": (Flaw.KEY_DISABLED, lambda: SUSPENDED.signed(PHONE, CODE)),
    "too old": (Flaw.CLOCK, lambda: PLATFORM.signed(PHONE, CODE, age=timedelta(seconds=310))),
    "of the future": (Flaw.CLOCK, lambda: PLATFORM.signed(PHONE, CODE, age=-timedelta(seconds=310))),
    "a short nonce": (Flaw.NONCE, lambda: PLATFORM.signed(PHONE, CODE, nonce="short")),
    "a long nonce": (Flaw.NONCE, lambda: PLATFORM.signed(PHONE, CODE, nonce="n" * 129)),
    "the method not covered": (
        Flaw.NOT_COVERED,
        lambda: PLATFORM.signed(PHONE, CODE, covered=COVERED[1:]),
    ),
    "the path not covered": (
        Flaw.NOT_COVERED,
        lambda: PLATFORM.signed(PHONE, CODE, covered=("@method", "content-digest")),
    ),
}


@pytest.mark.proves("G2")
@pytest.mark.parametrize("kind", list(BAD_REQUESTS))
def test_a_request_that_is_not_signed_as_agreed_is_refused(kind: str) -> None:
    flaw, make = BAD_REQUESTS[kind]
    with pytest.raises(SignatureInvalid) as refused:
        verified(make())
    registered = {Flaw.KEY_UNKNOWN: None, Flaw.KEY_DISABLED: "voice-0", Flaw.CLOCK: None}
    assert (refused.value.flaw, refused.value.key_id) == (flaw, registered.get(flaw, "voice-1"))


@pytest.mark.proves("G2")
def test_a_body_and_an_idempotency_key_that_were_changed_are_refused() -> None:
    request = PLATFORM.signed(PHONE, CODE, idempotency_key="one-and-the-same")
    with pytest.raises(SignatureInvalid) as refused:
        verified(request, body=request.content.decode().replace(CODE, "9999999999"))
    assert refused.value.flaw is Flaw.BODY
    request.headers["idempotency-key"] = "another-one"
    with pytest.raises(SignatureInvalid) as refused:
        verified(request)
    assert refused.value.flaw is Flaw.SIGNATURE
    uncovered = PLATFORM.signed(PHONE, CODE)
    uncovered.headers["idempotency-key"] = "put-in-by-another"
    with pytest.raises(SignatureInvalid) as refused:
        verified(uncovered)
    assert refused.value.flaw is Flaw.NOT_COVERED


@pytest.mark.parametrize("failure", [psycopg.OperationalError, ValueError])
def test_a_database_that_cannot_be_asked_for_the_key_is_no_wrong_signature(failure: type[Exception]) -> None:
    request = PLATFORM.signed(PHONE, CODE)
    headers = {name: request.headers[name] for name in hotline.SIGNED_HEADERS[:3]}

    def fails(_key_id: str) -> HotlineKey | None:
        raise failure("the database is away")

    with pytest.raises(failure, match="the database is away"):
        signatures.verified(headers, request.content.decode(), fails, clock_seconds=300)


@pytest.mark.parametrize("key_id", ["5", "1.5", "?1", ":dm9pY2U=:", "voice-1"])
def test_a_key_id_that_is_no_text_is_refused_before_the_database_is_asked(key_id: str) -> None:
    request = PLATFORM.signed(PHONE, CODE)
    headers = {name: request.headers[name] for name in hotline.SIGNED_HEADERS[:3]}
    headers["signature-input"] = headers["signature-input"].replace('keyid="voice-1"', f"keyid={key_id}")
    asked: list[str] = []
    with pytest.raises(SignatureInvalid):
        signatures.verified(headers, request.content.decode(), asked.append, clock_seconds=300)
    assert asked == []


@pytest.mark.parametrize("header", hotline.SIGNED_HEADERS[:3])
@pytest.mark.parametrize("text", ["", "x", "sig=(", "a=1, b=2", "\u00e4"])
def test_what_is_no_signature_is_refused_and_nothing_else(header: str, text: str) -> None:
    request = PLATFORM.signed(PHONE, CODE)
    headers = {name: request.headers[name] for name in hotline.SIGNED_HEADERS[:3]}
    for wrong in ({**headers, header: text}, {k: v for k, v in headers.items() if k != header}):
        with pytest.raises(SignatureInvalid):
            signatures.verified(wrong, request.content.decode(), KEYS.get, clock_seconds=300)


@pytest.mark.proves("G2")
def test_a_request_is_good_once_for_as_long_as_it_could_be_accepted(storage: FakeStorage) -> None:
    use_cases.use_request(storage, "voice-1", "n" * 20, clock_seconds=300, now=NOW)
    for later in (0, 599):
        with pytest.raises(hotline.SignatureReplayed):
            use_cases.use_request(
                storage, "voice-1", "n" * 20, clock_seconds=300, now=NOW + timedelta(seconds=later)
            )
    use_cases.use_request(storage, "voice-2", "n" * 20, clock_seconds=300, now=NOW)
    use_cases.use_request(storage, "voice-2", "m" * 20, clock_seconds=300, now=NOW + timedelta(hours=1))
    assert list(storage.nonces) == [("voice-2", "m" * 20)], "old ones are forgotten"


@pytest.mark.planted("G2")
def test_a_replay_that_is_accepted_would_be_seen(
    storage: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "use_nonce", lambda *_args, **_kwargs: True)
    with pytest.raises(pytest.fail.Exception):
        test_a_request_is_good_once_for_as_long_as_it_could_be_accepted(storage)


def test_only_an_ed25519_key_is_registered() -> None:
    assert signatures.public_key(PLATFORM.public_key) == PLATFORM.public_key.decode()
    rsa = (
        "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n"
        "9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----\n"
    )
    for wrong in (b"", b"-----BEGIN PUBLIC KEY-----", rsa.encode()):
        with pytest.raises(ValueError, match="Ed25519"):
            signatures.public_key(wrong)


# --- the second step -----------------------------------------------------------------------------


def waiting(storage: FakeStorage, account: Account) -> LogInOtp:
    issued = reissue(storage)
    otp = LogInOtp(uuid4(), account.id, issued.id, b"token", "right", NOW + timedelta(minutes=10))
    use_cases.begin_log_in_otp(storage, account, otp, sealed_otp="sealed", now=NOW)
    return otp


def test_the_code_goes_to_the_registered_phone_and_lets_the_log_in_go_on_once(
    storage: FakeStorage, account: Account
) -> None:
    otp = waiting(storage, account)
    (told,) = storage.tx.events("account.log_in_otp_requested.v1")
    assert (told.data["phone"], told.data["sealed_otp"]) == (account.phone, "sealed")
    tried = use_cases.try_log_in_otp(storage, otp.id, b"token", "right", NOW)
    assert isinstance(tried, tuple)
    assert (tried[0], tried[1].id) == (account, otp.credential_id)
    assert isinstance(use_cases.try_log_in_otp(storage, otp.id, b"token", "right", NOW), OtpExpired)


@pytest.mark.proves("F15")
def test_a_code_has_five_tries_ten_minutes_and_one_log_in(storage: FakeStorage, account: Account) -> None:
    otp = waiting(storage, account)
    for left in range(4, -1, -1):
        refused = use_cases.try_log_in_otp(storage, otp.id, b"token", "wrong", NOW)
        assert isinstance(refused, OtpWrong)
        assert refused.details == {"tries_left": left}
    assert isinstance(use_cases.try_log_in_otp(storage, otp.id, b"token", "right", NOW), OtpExpired)
    late = waiting(storage, account)
    at = NOW + timedelta(minutes=10)
    assert isinstance(use_cases.try_log_in_otp(storage, late.id, b"token", "right", at), OtpExpired)
    for stranger in ((late.id, b"another token"), (uuid4(), b"token")):
        assert isinstance(use_cases.try_log_in_otp(storage, *stranger, "right", NOW), OtpExpired)
    reissue(storage, now=LATER)
    assert isinstance(use_cases.try_log_in_otp(storage, late.id, b"token", "right", NOW), OtpExpired)


@pytest.mark.parametrize(
    ("state", "channel", "spoken"),
    [
        (CredentialState.ISSUED, "voice", True),
        (CredentialState.ISSUED, None, False),
        (CredentialState.ACTIVE, None, False),
    ],
)
def test_only_a_password_that_was_read_aloud_needs_a_code(
    account: Account, state: CredentialState, channel: str | None, spoken: bool
) -> None:
    used = credentials.Credential(uuid4(), account.id, state, "a hash", channel=channel)
    assert use_cases.is_spoken(used) is spoken
