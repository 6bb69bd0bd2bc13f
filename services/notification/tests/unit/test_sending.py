"""The job that sends a message: once, whatever happens around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.notification import domain, jobs, writing
from services.notification.domain import Declined, Message, Outcome, Sent, SmsQuotas, State, Unknown
from services.notification.tests.unit import examples
from services.notification.tests.unit.fakes import FakeChannel, FakeDatabase, FakeMessages, FakeSealer
from services.notification.texts import Texts
from shared import metrics, tracing
from shared.messaging import outbox

PLACES = {
    "hotline": "1900 9068",
    "app_store_url": "https://a.example",
    "google_play_url": "https://g.example",
}


@dataclass(frozen=True)
class Due:
    key: str
    is_last: bool = False


class Stage:
    """One service with one message written, and a channel that answers as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome, begins: bool = True) -> None:
        self.now = examples.NOW
        monkeypatch.setattr(jobs, "now", lambda: self.now)
        self.storage = FakeMessages()
        self.db = FakeDatabase(self.storage)
        self.channel = FakeChannel(list(outcomes), begins=begins)
        self.outside = jobs.Outside(
            sms=self.channel,
            email=self.channel,
            words=Texts(PLACES),
            sealer=FakeSealer(),
            receipt_wait_seconds=15.0,
        )

    def write_sms(self) -> UUID:
        writing.deliver_credentials(
            self.storage, examples.issued(channels=[{"kind": "sms", "to": examples.PHONE}])
        )
        return next(iter(self.storage.held))

    def write_otp(self) -> UUID:
        writing.send_otp(self.storage, examples.otp_requested())
        return next(iter(self.storage.held))

    def run(self, message_id: UUID, *, is_last: bool = False) -> None:
        """As the kit does: act, then record in a transaction."""
        record = jobs.send_message(self.db, lambda tx: tx, self.outside, Due(str(message_id), is_last))
        if record is not None:
            with self.db.transaction() as tx:
                record(tx)

    def message(self, message_id: UUID) -> Message:
        return self.storage.held[message_id]

    def published(self, event: str) -> list[str | None]:
        return [e.data["reason"] for e in self.storage.tx.events(f"notification.{event}.v1")]


def test_a_message_taken_over_is_sent_told_and_forgets_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    message_id = stage.write_sms()
    stage.run(message_id)
    assert stage.message(message_id).state is State.SENT
    assert stage.message(message_id).sealed_secret is None
    (event,) = stage.storage.tx.events("notification.sent.v1")
    assert event.data["message_id"] == message_id
    assert event.data["registration_id"] == examples.REGISTRATION
    assert event.data["purpose"] == "credentials"
    assert "Mat khau: Mk7-Qd2-Xv9-Tz4 " in stage.channel.texts[0][1]


def test_a_sent_message_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    message_id = stage.write_sms()
    stage.run(message_id)
    stage.run(message_id)
    assert len(stage.channel.texts) == 1
    assert stage.published("sent") == [None]


def test_the_attempt_is_committed_before_the_first_byte_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    message_id = stage.write_sms()
    seen: list[State] = []
    stage.channel.when_begun = lambda: seen.append(stage.message(message_id).state)
    stage.run(message_id)
    assert seen == [State.SENDING]


def test_a_worker_killed_after_it_began_leaves_a_message_that_is_not_resent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    message_id = stage.write_sms()

    def die() -> None:
        raise KeyboardInterrupt

    stage.channel.when_begun = die
    with pytest.raises(KeyboardInterrupt):
        stage.run(message_id)
    stage.channel.when_begun = lambda: None
    stage.run(message_id)
    assert stage.message(message_id).state is State.UNKNOWN
    assert stage.message(message_id).sealed_secret is None
    assert stage.channel.texts == []
    (due,) = stage.storage.tx.due("report_unknown")
    assert due.at == examples.NOW + timedelta(seconds=15)


def test_a_refusal_is_tried_again_and_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Declined("smsc_status_88"))
    message_id = stage.write_sms()
    for _ in range(3):
        with pytest.raises(jobs.NotTaken):
            stage.run(message_id)
        assert stage.message(message_id).state is State.WAITING
    stage.run(message_id, is_last=True)
    assert stage.message(message_id).state is State.FAILED
    assert stage.message(message_id).attempts == 4
    assert stage.message(message_id).sealed_secret is None
    assert stage.published("failed") == ["smsc_status_88"]
    assert stage.published("sent") == []


def test_a_message_refused_once_is_sent_by_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Declined("smsc_status_88"), Sent(("p1",)))
    message_id = stage.write_sms()
    with pytest.raises(jobs.NotTaken):
        stage.run(message_id)
    stage.run(message_id)
    assert stage.message(message_id).state is State.SENT
    assert [tried[1] for tried in stage.storage.attempts[message_id]] == ["declined", "sent"]


def test_a_permanent_refusal_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Declined("smtp_status_550", permanent=True), begins=False)
    message_id = stage.write_otp()
    stage.run(message_id)
    assert stage.message(message_id).state is State.FAILED
    assert stage.published("failed") == ["smtp_status_550"]


def test_no_answer_is_not_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Unknown("response_timeout"))
    message_id = stage.write_sms()
    stage.run(message_id)
    stage.run(message_id)
    assert stage.message(message_id).state is State.UNKNOWN
    assert len(stage.channel.texts) == 1
    assert stage.published("failed") == []


def test_an_otp_past_its_time_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent())
    message_id = stage.write_otp()
    stage.now = examples.NOW + timedelta(minutes=10)
    stage.run(message_id)
    assert stage.channel.letters == []
    assert stage.message(message_id).state is State.FAILED
    assert stage.message(message_id).sealed_secret is None
    assert stage.published("failed") == ["expired"]


def test_no_sms_goes_abroad(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    writing.deliver_credentials(
        stage.storage, examples.issued(channels=[{"kind": "sms", "to": "+88213000111"}])
    )
    message_id = next(iter(stage.storage.held))
    stage.run(message_id)
    assert stage.channel.texts == []
    assert stage.published("failed") == ["destination_refused"]


def test_of_two_workers_with_one_message_only_one_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    message_id = stage.write_sms()
    first_has_looked = [False]

    class SlowFirst(FakeChannel):
        def send(self, *args: object) -> Outcome:
            if not first_has_looked[0]:
                first_has_looked[0] = True
                stage.run(message_id)  # the lease ran out; another worker takes it and sends
            return super().send(*args)

    slow = SlowFirst([Sent(("p1",))])
    stage.outside = jobs.Outside(
        sms=slow, email=slow, words=Texts(PLACES), sealer=FakeSealer(), receipt_wait_seconds=15.0
    )
    stage.run(message_id)
    assert len(slow.texts) == 1
    assert stage.published("sent") == [None]


def test_an_unexpected_error_at_the_last_try_ends_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    message_id = stage.write_sms()

    def break_down() -> None:
        raise RuntimeError

    stage.channel.when_begun = break_down
    stage.run(message_id, is_last=True)
    assert stage.message(message_id).state is State.UNKNOWN
    other = Stage(monkeypatch, Sent(("p1",)), begins=False)
    message_id = other.write_sms()
    other.outside = jobs.Outside(
        sms=other.channel,
        email=other.channel,
        words=Texts({}),
        sealer=FakeSealer(),
        receipt_wait_seconds=15.0,
    )
    monkeypatch.setattr(other.outside.words, "sms", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        other.run(message_id)
    other.run(message_id, is_last=True)
    assert other.message(message_id).state is State.FAILED
    assert other.published("failed") == ["error"]


def test_an_email_carries_its_id_and_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Sent())
    message_id = stage.write_otp()
    stage.run(message_id)
    (letter,) = stage.channel.letters
    assert letter.message_id == f"{message_id}@vssid.example"
    assert letter.purpose == "email_otp"
    assert "123456" in letter.text


def counted(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_the_provider_made_of_a_message_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {"provider": "smsc", "outcome": "sent", "reason": ""}
    refused = {"provider": "smsc", "outcome": "declined", "reason": "smsc_status_88"}
    before = counted("vssid_messages_total", **taken), counted("vssid_messages_total", **refused)
    stage = Stage(monkeypatch, Declined("smsc_status_88"), Sent(("p1",)))
    message_id = stage.write_sms()
    with pytest.raises(jobs.NotTaken):
        stage.run(message_id)
    stage.run(message_id)
    after = counted("vssid_messages_total", **taken), counted("vssid_messages_total", **refused)
    assert after == (before[0] + 1, before[1] + 1)


def test_the_trace_shows_a_message_by_its_id_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[tracing.Span] = []
    stage = Stage(monkeypatch, Sent(("p1",)))
    message_id = stage.write_sms()
    tracing.export_to(spans.append)
    try:
        with tracing.start(None, "job send_sms"):
            stage.run(message_id)
    finally:
        tracing.export_to(None)
    assert [span.name for span in spans] == ["send to smsc", "job send_sms"]
    assert spans[0].attributes == {"message_id": str(message_id), "outcome": "sent"}
    assert examples.PHONE not in repr(spans)


QUOTAS = SmsQuotas(per_day=3, per_phone=2)


def notices(stage: Stage, *phones: str) -> list[UUID]:
    """A notice to each of these phones."""
    before = set(stage.storage.held)
    for phone in phones:
        event = examples.notice_due()
        event.data["channels"] = [{"kind": "sms", "to": phone}]
        writing.tell_account(stage.storage, event)
    return [message_id for message_id in stage.storage.held if message_id not in before]


def left(stage: Stage, messages: list[UUID]) -> list[bool]:
    """Which of them left, each tried once."""
    for message_id in messages:
        stage.run(message_id)
    return [stage.message(message_id).state is State.SENT for message_id in messages]


@pytest.fixture
def stage_of_quotas(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(monkeypatch, *(Sent((f"p{number}",)) for number in range(20)))
    stage.outside = replace(stage.outside, quotas=QUOTAS)
    return stage


ANOTHER_PHONE, THIRD_PHONE = "+84900000002", "+84900000003"


@pytest.mark.proves("F16")
def test_a_phone_and_a_day_have_quotas_and_what_is_over_them_goes_the_day_after(
    stage_of_quotas: Stage,
) -> None:
    stage = stage_of_quotas
    first = notices(stage, examples.PHONE, examples.PHONE, examples.PHONE)
    assert left(stage, first) == [True, True, False], "the quota of a phone is not kept"
    others = notices(stage, ANOTHER_PHONE, THIRD_PHONE)
    assert left(stage, others) == [True, False], "the quota of a day is not kept"
    waiting = [first[2], others[1]]
    again = [due for due in stage.storage.tx.additions if isinstance(due, outbox.Due) and due.at > stage.now]
    assert [(due.kind, due.key) for due in again] == [("send_sms", str(one)) for one in waiting]
    assert [stage.message(one).attempts for one in waiting] == [0, 0]

    stage.now += timedelta(days=1)
    assert left(stage, waiting) == [True, True], "what waited is lost"


@pytest.mark.planted("F16")
@pytest.mark.parametrize(
    ("quota", "seen"),
    [("phone", "the quota of a phone is not kept"), ("day", "the quota of a day is not kept")],
)
def test_a_quota_that_is_missing_would_be_seen(
    stage_of_quotas: Stage, monkeypatch: pytest.MonkeyPatch, quota: str, seen: str
) -> None:
    of = SmsQuotas.of
    monkeypatch.setattr(
        SmsQuotas, "of", lambda *asked: {name: most for name, most in of(*asked).items() if name != quota}
    )
    with pytest.raises(AssertionError, match=seen):
        test_a_phone_and_a_day_have_quotas_and_what_is_over_them_goes_the_day_after(stage_of_quotas)


def test_a_password_reaches_a_phone_that_had_its_notices(stage_of_quotas: Stage) -> None:
    left(stage_of_quotas, notices(stage_of_quotas, examples.PHONE, examples.PHONE))
    before = set(stage_of_quotas.storage.held)
    stage_of_quotas.write_sms()
    (password,) = set(stage_of_quotas.storage.held) - before
    assert left(stage_of_quotas, [password]) == [True]


def log_in_otp(stage: Stage) -> UUID:
    before = set(stage.storage.held)
    writing.send_log_in_otp(stage.storage, examples.log_in_otp_requested())
    (message_id,) = set(stage.storage.held) - before
    return message_id


@pytest.mark.proves("F16")
def test_a_tenth_of_the_day_is_kept_for_passwords_and_codes_of_log_ins(stage_of_quotas: Stage) -> None:
    stage = stage_of_quotas
    stage.outside = replace(stage.outside, quotas=SmsQuotas(per_day=10, per_phone=20))
    assert left(stage, notices(stage, *[examples.PHONE] * 10)) == [True] * 9 + [False]
    assert left(stage, [log_in_otp(stage)]) == [True], "notices have used up the day of the secrets"
    assert left(stage, [log_in_otp(stage)]) == [False], "the quota of a day is not kept"


def test_a_code_over_the_quota_is_looked_at_again_before_its_end_and_then_told_as_expired(
    stage_of_quotas: Stage,
) -> None:
    stage = stage_of_quotas
    left(stage, notices(stage, examples.PHONE, examples.PHONE, ANOTHER_PHONE))
    one, other = log_in_otp(stage), log_in_otp(stage)
    assert left(stage, [one, other]) == [False, False]
    looks = stage.storage.tx.due("send_sms")[-2:]
    stage.now = looks[0].at
    assert [look.at for look in looks] == [examples.NOW + timedelta(minutes=8)] * 2

    assert left(stage, [one]) == [False]
    stage.outside = replace(stage.outside, quotas=SmsQuotas())
    assert left(stage, [other]) == [True], "a code that was parked did not leave in time"
    stage.now = stage.storage.tx.due("send_sms")[-1].at
    assert stage.now == examples.NOW + timedelta(minutes=10)
    assert left(stage, [one]) == [False]
    assert stage.published("failed") == ["expired"]


def test_an_sms_that_is_tried_again_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Declined("busy"), Sent(("p1",)), Sent(("p2",)))
    stage.outside = replace(stage.outside, quotas=QUOTAS)
    one, two = notices(stage, examples.PHONE, examples.PHONE)
    with pytest.raises(jobs.NotTaken):
        stage.run(one)
    assert left(stage, [one, two]) == [True, True]


@pytest.mark.proves("F16")
@pytest.mark.parametrize("abroad", ["+15551234567", "+8613800000000", "+84900"])
def test_no_sms_leaves_for_abroad(monkeypatch: pytest.MonkeyPatch, abroad: str) -> None:
    stage = Stage(monkeypatch, Sent(("p1",)))
    (message_id,) = notices(stage, abroad)
    assert left(stage, [message_id]) == [False], "an SMS left for abroad"
    assert stage.message(message_id).reason == "destination_refused"


@pytest.mark.planted("F16")
def test_an_sms_for_abroad_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "VIETNAMESE_MOBILE", re.compile(r"\+\d+"))
    with pytest.raises(AssertionError, match="an SMS left for abroad"):
        test_no_sms_leaves_for_abroad(monkeypatch, "+15551234567")
