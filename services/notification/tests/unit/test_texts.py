"""The words: every message has them in both languages, and the password SMS fits one part."""

from __future__ import annotations

import pytest

from services.notification import writing
from services.notification.domain import Channel, Purpose
from services.notification.settings import Settings
from services.notification.sms_text import GSM_CODING, split
from services.notification.tests.unit import examples
from services.notification.tests.unit.fakes import FakeMessages
from services.notification.texts import TEMPLATES, Texts, plain
from shared.events.envelope import Event

PLACES = {
    "hotline": "1900 9068",
    "app_store_url": "https://apps.apple.com/vn/app/vssid/id1521647264",
    "google_play_url": "https://play.google.com/store/apps/details?id=com.bhxhapp",
}
WORDS = Texts(PLACES)


def written(event: Event) -> list:
    tell = {
        "registration.email_otp_requested.v1": writing.send_otp,
        "account.reset_requested.v1": writing.send_otp,
        "account.log_in_otp_requested.v1": writing.send_log_in_otp,
        "credentials.issued.v1": writing.deliver_credentials,
        "identity.rejected.v1": writing.tell_rejected,
        "identity.closed.v1": writing.tell_closed,
        "identity.guardianship_ended.v1": writing.tell_guardianship_ended,
        "identity.supplement_requested.v1": writing.tell_supplement,
        "registration.reminder_due.v1": writing.remind,
        "account.notice_due.v1": writing.tell_account,
        "account.request_answered.v1": writing.tell_request_answered,
    }[event.type]
    storage = FakeMessages()
    tell(storage, event)
    return list(storage.held.values())


def every_message() -> list:
    events = [examples.reset_requested()]
    for language in ("vi", "en"):
        events += [
            examples.otp_requested(language=language),
            examples.issued(language=language),
            examples.log_in_otp_requested(language),
            examples.rejected(language),
            examples.supplement_requested(language),
            examples.reminder_due(language),
        ]
        events += [examples.closed(why, language) for why in ("cancelled", "deadline_passed", "superseded")]
        events += [
            examples.guardianship_ended(reason, language)
            for reason in ("came_of_age", "custody_changed", "confirmed_in_error")
        ]
        events += [
            examples.notice_due(kind, language)
            for kind in ("password_changed", "reissued", "new_device", "contact_changed", "throttled")
        ]
        events.append(examples.notice_due("new_device", language, "session_copied"))
        events += [
            examples.request_answered(kind, outcome, language)
            for kind in ("export", "correction", "erasure", "withdrawal")
            for outcome in ("granted", "refused")
        ]
    return [message for event in events for message in written(event)]


@pytest.mark.parametrize("message", every_message(), ids=lambda m: f"{m.purpose}-{m.channel}-{m.language}")
def test_every_message_has_its_words(message) -> None:
    if message.channel is Channel.SMS:
        text = WORDS.sms(message, "Mk7-Qd2-Xv9-Tz4")
        assert text.startswith("VssID: ")
        assert split(text).data_coding == GSM_CODING
        assert "\n" not in text
    else:
        email = WORDS.email(message, "123456")
        assert email.subject.startswith("VssID: ")
        assert "\n" not in email.subject
        assert email.text.count("\n\n") >= 3
        assert "<p>" in email.html
        assert f'lang="{message.language}"' in email.html


def test_every_purpose_has_a_template_in_both_languages() -> None:
    never = {("email", Purpose.CREDENTIALS), ("email", Purpose.LOG_IN_OTP)} | {
        ("sms", purpose)
        for purpose in (
            Purpose.EMAIL_OTP,
            Purpose.RESET_OTP,
            Purpose.INSTRUCTIONS,
            Purpose.ACTIVATION_LINK,
        )
    }
    expected = {
        f"{channel}/{purpose}.{language}.txt"
        for purpose in Purpose
        for channel in ("sms", "email")
        for language in ("vi", "en")
        if (channel, purpose) not in never
    }
    assert {f"{path.parent.name}/{path.name}" for path in TEMPLATES.rglob("*.txt")} == expected


@pytest.mark.proves("G12")
@pytest.mark.parametrize("code", ["0123456789", "001190000001"])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_password_sms_is_one_part_without_diacritics(code: str, language: str) -> None:
    sms = next(m for m in written(examples.issued(code=code, language=language)) if m.channel is Channel.SMS)
    text = WORDS.sms(sms, "W" * 16)
    parts = split(text)
    assert (parts.data_coding, len(parts.bodies)) == (GSM_CODING, 1)
    assert code in text
    assert "W" * 16 + " " in text  # nothing sticks to the password
    if language == "vi":
        assert f"Tai khoan: {code} / Mat khau: {'W' * 16} " in text


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_code_for_a_log_in_is_one_part_without_diacritics(language: str) -> None:
    (sms,) = written(examples.log_in_otp_requested(language))
    text = WORDS.sms(sms, "246810")
    parts = split(text)
    assert (parts.data_coding, len(parts.bodies)) == (GSM_CODING, 1)
    assert ": 246810 /" in text


@pytest.mark.proves("G12")
def test_the_instructions_name_the_app_and_the_user_but_never_the_password() -> None:
    email = next(m for m in written(examples.issued()) if m.channel is Channel.EMAIL)
    told = WORDS.email(email, None)
    assert "0123456789" in told.text
    assert PLACES["app_store_url"] in told.text
    assert f'href="{PLACES["google_play_url"]}"' in told.html
    assert "Mk7" not in told.text + told.html


def test_what_people_wrote_cannot_become_html() -> None:
    email = next(m for m in written(examples.rejected()) if m.channel is Channel.EMAIL)
    bad = type(email)(**{**vars(email), "facts": {"reason": "<script>alert(1)</script>"}})
    told = WORDS.email(bad, None)
    assert "<script>" not in told.html
    assert "&lt;script&gt;" in told.html
    assert "<script>" in told.text


def test_times_are_told_in_vietnam_time() -> None:
    sms = next(m for m in written(examples.issued()) if m.channel is Channel.SMS)
    assert "10:00 18/01/2026" in WORDS.sms(sms, "x")  # 03:00 UTC, 72 hours later


def test_vietnamese_loses_its_diacritics_and_nothing_else() -> None:
    assert plain("Ảnh chân dung không khớp,\nĐống Đa: ưỡng") == "Anh chan dung khong khop, Dong Da: uong"
    assert plain("a\u0301 – “x”…") == 'a - "x"...'


def test_the_default_places_are_settings() -> None:
    assert {"hotline", "app_store_url", "google_play_url"} <= set(Settings.__dataclass_fields__)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_of_a_session_in_two_hands_is_told_that_it_ended_and_what_to_do_in_one_sms(language: str) -> None:
    email, sms = written(examples.notice_due("new_device", language, "session_copied"))
    told, short = WORDS.email(email, None).text, WORDS.sms(sms, None)
    assert len(split(short).bodies) == 1
    for text in (plain(told), short):
        assert {"vi": "bi sao chep", "en": "copied"}[language] in text
        assert {"vi": "oi mat khau", "en": "hange your password"}[language] in text
        assert {"vi": "thiet bi moi", "en": "new device"}[language] not in text


@pytest.mark.parametrize("language", ["vi", "en"])
def test_of_a_guardianship_that_has_ended_the_reason_is_told_and_nothing_of_the_child(language) -> None:
    sms, email = written(examples.guardianship_ended("confirmed_in_error", language))
    told = WORDS.email(email, None).text
    assert {"vi": "đã được xác nhận nhầm", "en": "confirmed in error"}[language] in told
    assert "9999999999" not in told + WORDS.sms(sms, None) + str(sms.facts) + str(email.facts)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_of_many_wrong_log_ins_nobody_is_blamed_and_both_ways_in_are_told(language: str) -> None:
    (email,) = (m for m in written(examples.notice_due("throttled", language)) if m.channel is Channel.EMAIL)
    told = WORDS.email(email, None).text
    assert {"vi": "có thể do người khác", "en": "perhaps by others"}[language] in told
    assert {"vi": "cấp lại mật khẩu qua e-mail trong ứng dụng", "en": "by e-mail in the app"}[
        language
    ] in told
    assert {"vi": "1900 9068, nhánh 8", "en": "1900 9068, key 8"}[language] in told
