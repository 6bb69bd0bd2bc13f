"""The service as its callers see it: a real process, RabbitMQ, PostgreSQL, Redis, a register over HTTP."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from services.identity.tests.integration.house import House, new_person, transaction_on
from services.identity.tests.register_server import reply, with_result
from services.identity.tests.unit import samples
from shared.events import notification as notification_events
from shared.events import registration as registration_events
from shared.events.envelope import EventType
from shared.messaging.calls import CallRefused
from shared.sealed_objects import from_text

OWN_PASSWORD = "một con vịt xoè ra hai cái cánh"


@pytest.fixture(autouse=True)
def _register_answers(house: House) -> None:
    house.register.answer = with_result("matched")


@pytest.fixture(scope="module")
def officer(house: House) -> str:
    """The token of an officer of the agency."""
    house.add_staff("lan")
    return house.seal(house.staff_token("lan"))


def confirm(house: House, officer: str, case_id: str, key: str | None = None) -> Any:
    arguments = {"sealed_staff_token": officer, "case_id": case_id, "papers_checked": True}
    return house.client.call("identity", "confirm_case", arguments, 15.0, idempotency_key=key)


def refused(house: House, method: str, /, **kwargs: Any) -> CallRefused:
    with pytest.raises(CallRefused) as refusal:
        house.call(method, **kwargs)
    return refusal.value


def verified(house: House, officer: str, person: Any = None) -> dict[str, Any]:
    """An application that was confirmed; returns its data and, as ``password``, what the SMS would say."""
    data = house.submit(person, outcome="matched")
    confirm(house, officer, house.case_of(data))
    (issued,) = house.until_told("credentials.issued.v1", data["registration_id"])
    password = house.notification.open(issued["sealed_secret"])
    return {**data, "password": password, "issued": issued}


def with_own_password(house: House, officer: str) -> dict[str, Any]:
    data = verified(house, officer)
    user = data["person"]["code"]
    session = house.log_in(user, data["password"])
    changed = house.change_password(session["token"], data["password"], OWN_PASSWORD)
    return {**data, "user": user, "first_token": session["token"], "token": changed["token"]}


# --- the register --------------------------------------------------------------------------------


@pytest.mark.proves("G7")
@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("matched", "matched"),
        ("mismatched", "photos_needed"),
        ("not_found", "photos_needed"),
        ("invalid", "photos_needed"),
    ],
)
def test_the_check_tells_matched_or_photos_needed_and_nothing_more(
    house: House, result: str, outcome: str
) -> None:
    house.register.answer = with_result(result, mismatchedFields=["birthDate"])
    assert house.check(samples.submitted(new_person())) == {"outcome": outcome}


def test_every_check_is_on_record_without_the_person(house: House) -> None:
    data = samples.submitted(new_person())
    house.check(data)
    (row,) = house.rows(
        "SELECT * FROM register_checks WHERE registration_id = %(id)s", id=data["registration_id"]
    )
    assert (row["purpose"], row["asker"], row["outcome"]) == ("registration", "registration", "matched")
    assert row["request_id"] == data["register_check"]["request_id"]
    assert row["asked_at"] <= row["answered_at"]
    assert data["document"]["number"] not in repr(row)
    assert house.register.asked[-1]["requestId"] == str(row["request_id"])


def test_while_the_register_drips_its_answer_other_calls_go_on(house: House) -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    house.register.answer = drip
    started = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(house.check, samples.submitted(new_person()))
        time.sleep(0.2)
        house.call("public_keys")
        assert not slow.done()
        assert slow.result() == {"outcome": "unavailable"}
    assert time.monotonic() - started < 3.5  # the drip takes 4 s; ours is 2 s from first to last byte


def test_a_register_that_is_down_is_left_alone_then_probed_and_used_again(house: House) -> None:
    house.register.answer = reply(503, b"{}")
    for _ in range(6):
        assert house.check(samples.submitted(new_person())) == {"outcome": "unavailable"}
    house.register.answer = with_result("matched")
    house.until(
        lambda: house.check(samples.submitted(new_person())) == {"outcome": "matched"}, "never asked again"
    )


def test_a_check_that_had_no_answer_is_made_again_until_there_is_one(house: House, officer: str) -> None:
    house.register.answer = reply(503, b"{}")
    data = house.submit(outcome="unavailable")
    (first,) = house.until_told("identity.checked.v1", data["registration_id"])
    assert first["outcome"] == "unavailable"
    checks = "SELECT FROM register_checks WHERE registration_id = %(id)s"
    house.until(lambda: len(house.rows(checks, id=data["registration_id"])) >= 3, "not asked again")
    house.register.answer = with_result("mismatched", mismatchedFields=["birthDate"])
    told = house.until_told("identity.checked.v1", data["registration_id"], count=2)
    assert [event["outcome"] for event in told] == ["unavailable", "photos_needed"]
    seen = house.call("case", sealed_staff_token=officer, case_id=house.case_of(data))
    assert (seen["register_outcome"], seen["mismatched_fields"]) == ("mismatched", ["birthDate"])
    assert not house.rows("SELECT FROM jobs WHERE key = %(key)s", key=house.case_of(data))


# --- officers ------------------------------------------------------------------------------------


def test_an_officer_sees_and_decides_cases_of_the_own_agency_only(house: House, officer: str) -> None:
    agency = "79001"
    house.add_staff("mai", agency)
    mai = house.seal(house.staff_token("mai"))
    kept = house.photos.put(b"a portrait", prefix="photos", max_bytes=99)
    portrait = {"kind": "portrait", "ref": kept.ref, "sha256": kept.sha256}
    data = house.submit(agency_code=agency, outcome="matched", photos=[portrait])
    case_id = house.case_of(data)
    (item,) = house.call("cases", sealed_staff_token=mai, status="waiting", cursor=None, q=None)["items"]
    assert (item["id"], item["register_outcome"]) == (case_id, "matched")
    assert item["full_name"] == "Nguyễn Thị Thử"
    for method, extra in [
        ("case", {}),
        ("photo", {"kind": "portrait"}),
        ("confirm_case", {"papers_checked": True}),
        ("reject_case", {"reason": "because of something"}),
    ]:
        refusal = refused(house, method, sealed_staff_token=officer, case_id=case_id, **extra)
        assert refusal.name == "CaseUnknown"
    told = house.call("photo", sealed_staff_token=mai, case_id=case_id, kind="portrait")
    assert (told["ref"], told["content_type"]) == (kept.ref, "image/jpeg")
    key = from_text(house.gateway.open(told["sealed_key"]))
    assert b"".join(house.photos.chunks(kept.ref, key)) == b"a portrait"
    acts = house.rows("SELECT action FROM audit WHERE case_id = %(id)s", id=case_id)
    assert [act["action"] for act in acts] == ["photo_read"]


@pytest.mark.parametrize("method", ["cases", "case", "photo", "confirm_case", "reject_case"])
def test_nothing_at_the_desk_opens_without_a_token_of_an_officer(
    house: House, officer: str, method: str
) -> None:
    case_id = house.case_of(house.submit())
    extra = {
        "cases": {},
        "case": {"case_id": case_id},
        "photo": {"case_id": case_id, "kind": "portrait"},
        "confirm_case": {"case_id": case_id, "papers_checked": True},
        "reject_case": {"case_id": case_id, "reason": "because of something"},
    }[method]
    assert refused(house, method, sealed_staff_token=house.seal("made up"), **extra).name == "TokenInvalid"
    assert refused(house, method, sealed_staff_token="not sealed", **extra).name == "RequestInvalid"
    assert refused(house, method, **extra).problems[0].field == "sealed_staff_token"


def test_a_wrong_officer_and_a_wrong_password_are_refused_alike(house: House, officer: str) -> None:
    refusals = [
        refused(house, "staff_log_in", user=user, sealed_password=house.seal("wrong"), client=None)
        for user in ("lan", "nobody")
    ]
    assert [r.name for r in refusals] == ["LogInFailed", "LogInFailed"]
    assert refusals[0].vi == refusals[1].vi


def test_confirming_needs_the_papers_and_rejecting_a_reason(house: House, officer: str) -> None:
    case_id = house.case_of(house.submit())
    refusal = refused(house, "confirm_case", sealed_staff_token=officer, case_id=case_id)
    assert refusal.name == "PapersNotChecked"
    refusal = refused(house, "reject_case", sealed_staff_token=officer, case_id=case_id, reason="no")
    assert (refusal.name, refusal.problems[0].field) == ("ReasonMissing", "reason")


def test_whoever_comes_at_once_the_case_ends_once(house: House, officer: str) -> None:
    data = house.submit(outcome="matched")
    case_id = house.case_of(data)
    close = registration_events.CLOSE_REQUESTED.event(
        subject=data["registration_id"],
        correlation_id=data["registration_id"],
        at=datetime.now(UTC),
        data={"registration_id": data["registration_id"], "reason": "cancelled"},
    )
    start = threading.Barrier(17)

    def at_once(act: Any) -> str:
        start.wait()
        try:
            return str(act()["status"])
        except CallRefused as refusal:
            if refusal.name != "CaseAlreadyEnded":
                raise
            return str(refusal.details["status"])

    def reject() -> Any:
        return house.call(
            "reject_case", sealed_staff_token=officer, case_id=case_id, reason="because of something"
        )

    with ThreadPoolExecutor(17) as threads:
        acts = [lambda: confirm(house, officer, case_id), reject] * 8
        answers = [threads.submit(at_once, act) for act in acts]
        start.wait()
        house.publish(close)
        (ending,) = {answer.result() for answer in answers}
    asked = "SELECT FROM close_requests WHERE registration_id = %(id)s"
    house.until(lambda: house.rows(asked, id=data["registration_id"]), "the request to close was not handled")
    (row,) = house.rows("SELECT status FROM cases WHERE id = %(id)s", id=case_id)
    assert row["status"] == ending
    endings = {
        kind: len(house.told(f"identity.{kind}.v1", data["registration_id"]))
        for kind in ("verified", "rejected", "closed")
    }
    assert endings == {"verified": 0, "rejected": 0, "closed": 0} | {ending: 1}


# --- first passwords -----------------------------------------------------------------------------


@pytest.mark.proves("G12")
def test_a_confirmed_citizen_gets_one_account_and_one_first_password(house: House, officer: str) -> None:
    data = house.submit(outcome="matched")
    case_id = house.case_of(data)
    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(lambda _: confirm(house, officer, case_id, "one-key"), range(20)))
    assert replies == [{"id": case_id, "status": "verified"}] * 20
    (issued,) = house.until_told("credentials.issued.v1", data["registration_id"])
    assert issued["channels"] == [
        {"kind": "sms", "to": data["phone"]},
        {"kind": "email", "to": data["email"]},
    ]
    password = house.notification.open(issued["sealed_secret"])
    (row,) = house.rows(
        "SELECT c.* FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE a.code = %(code)s",
        code=data["person"]["code"],
    )
    assert row["state"] == "issued"
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (row["valid_until"] - row["made_at"]).total_seconds() == 72 * 3600
    assert password not in house.process.tail(100_000)
    assert not house.rows("SELECT FROM jobs WHERE key = %(key)s", key=str(data["registration_id"]))


def test_a_kill_between_confirmation_and_password_loses_and_doubles_nothing(
    house: House, officer: str
) -> None:
    applications = [house.submit(outcome="matched") for _ in range(6)]
    for data in applications:
        confirm(house, officer, house.case_of(data))
    house.process.kill()
    house.process.start()
    house.process.wait_ready()
    for data in applications:
        house.until_told("credentials.issued.v1", data["registration_id"])
    waiting = "SELECT FROM jobs WHERE failed_at IS NULL AND kind NOT IN ('seal_audit', 'forget_sessions')"
    house.until(lambda: not house.rows(waiting), "jobs are left", 45)
    for data in applications:
        told = house.told("credentials.issued.v1", data["registration_id"])
        assert len({event["credential_id"] for event in told}) == 1
        live = house.rows(
            "SELECT c.id FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE a.code = %(code)s",
            code=data["person"]["code"],
        )
        assert [str(row["id"]) for row in live] == [told[0]["credential_id"]]


def tell(house: House, kind: EventType, credential_id: str, channel: str = "sms") -> None:
    """Notification tells of a message with or about a password, three times the same."""
    message = {
        "message_id": uuid.uuid4(),
        "cause_event_id": uuid.uuid4(),
        "purpose": "credentials",
        "channel": channel,
        "credential_id": uuid.UUID(credential_id),
        "at": datetime.now(UTC),
    }
    event = kind.event(subject="message", correlation_id="message", at=datetime.now(UTC), data=message)
    house.publish(event, times=3)


def until_noted(house: House, credential_id: str, delivery: str) -> None:
    noted = "SELECT FROM credentials WHERE id = %(id)s AND delivery = %(delivery)s"
    house.until(lambda: house.rows(noted, id=credential_id, delivery=delivery), f"{delivery} was not noted")


def test_what_notification_tells_of_the_sms_is_kept_with_the_password(house: House, officer: str) -> None:
    data = verified(house, officer)
    credential_id = data["issued"]["credential_id"]
    tell(house, notification_events.FAILED, credential_id, channel="email")
    tell(house, notification_events.DELIVERED, credential_id)
    tell(house, notification_events.SENT, credential_id)
    until_noted(house, credential_id, "delivered")


def test_a_password_whose_sms_did_not_arrive_is_replaced_and_opens_nothing_any_more(
    house: House, officer: str
) -> None:
    data = verified(house, officer)
    user = data["person"]["code"]
    tell(house, notification_events.FAILED, data["issued"]["credential_id"])
    lost, issued = house.until_told("credentials.issued.v1", data["registration_id"], count=2)
    assert lost["credential_id"] == data["issued"]["credential_id"]
    assert issued["channels"] == lost["channels"]
    password = house.notification.open(issued["sealed_secret"])
    assert password != data["password"]
    told = refused(house, "log_in", user=user, sealed_password=house.seal(data["password"]))
    assert told.name == "LogInFailed"
    assert house.log_in(user, password)["must_change_password"]


def test_a_password_that_was_used_is_not_replaced_though_its_sms_is_said_to_have_failed(
    house: House, officer: str
) -> None:
    data = verified(house, officer)
    session = house.log_in(data["person"]["code"], data["password"])
    tell(house, notification_events.FAILED, data["issued"]["credential_id"])
    again = verified(house, officer)
    tell(house, notification_events.FAILED, again["issued"]["credential_id"])
    house.until_told("credentials.issued.v1", again["registration_id"], count=2)
    assert len(house.told("credentials.issued.v1", data["registration_id"])) == 1
    assert house.change_password(session["token"], data["password"], OWN_PASSWORD)["token"]


# --- logging in ----------------------------------------------------------------------------------


@pytest.mark.proves("G15")
def test_the_first_password_must_be_changed_and_then_everything_opens(house: House, officer: str) -> None:
    data = verified(house, officer)
    code, personal_number = data["person"]["code"], data["document"]["number"]
    first = house.log_in(code, data["password"])
    assert (first["must_change_password"], first["expires_in"]) == (True, 900)
    keys = KeySet.import_key_set(house.call("public_keys"))
    claims = jwt.decode(first["token"], keys, algorithms=["Ed25519"]).claims
    assert (claims["iss"], claims["scope"], claims["code"]) == ("vssid", "password_change", code)
    changed = house.change_password(first["token"], data["password"], OWN_PASSWORD)
    assert changed["must_change_password"] is False
    again = house.log_in(personal_number, OWN_PASSWORD)
    assert jwt.decode(again["token"], keys, algorithms=["Ed25519"]).claims["scope"] == "citizen"
    assert house.call("me", sealed_token=house.seal(again["token"])) == {
        "account_id": data["issued"]["account_id"],
        "code": code,
        "full_name": "Nguyễn Thị Thử",
        "must_change_password": False,
    }
    notice, new_device = house.told("account.notice_due.v1", account_id=data["issued"]["account_id"])
    assert new_device["kind"] == "new_device"
    assert (notice["kind"], notice["channels"]) == (
        "password_changed",
        [{"kind": "email", "to": data["email"]}],
    )


def test_after_the_change_neither_the_first_password_nor_the_first_session_opens_anything(
    house: House, officer: str
) -> None:
    data = with_own_password(house, officer)
    with pytest.raises(CallRefused, match="LogInFailed"):
        house.log_in(data["user"], data["password"])
    assert refused(house, "me", sealed_token=house.seal(data["first_token"])).name == "TokenInvalid"


def test_unknown_user_and_wrong_password_are_refused_alike(house: House, officer: str) -> None:
    data = verified(house, officer)
    refusals = []
    for user in (data["person"]["code"], "0000000000"):
        with pytest.raises(CallRefused) as refusal:
            house.log_in(user, "wrong password")
        refusals.append((refusal.value.name, refusal.value.vi, refusal.value.problems, refusal.value.details))
    assert refusals[0] == refusals[1]
    assert refusals[0][0] == "LogInFailed"


def test_an_expired_first_password_says_so_to_nobody_but_its_owner(house: House, officer: str) -> None:
    data = verified(house, officer)
    with transaction_on(house.dsn) as tx:
        tx.run(
            "UPDATE credentials SET valid_until = now() WHERE id = %(id)s",
            {"id": data["issued"]["credential_id"]},
        )
    with pytest.raises(CallRefused, match="FirstPasswordExpired"):
        house.log_in(data["person"]["code"], data["password"])
    with pytest.raises(CallRefused, match="LogInFailed"):
        house.log_in(data["person"]["code"], "wrong password")


def test_wrong_tries_are_held_back_for_their_address_and_the_owner_elsewhere_gets_in(
    house: House, officer: str
) -> None:
    data = verified(house, officer)
    code = data["person"]["code"]
    names = []
    for _ in range(12):
        with pytest.raises(CallRefused) as refusal:
            house.log_in(code, "wrong password", address="the stranger's")
        names.append(refusal.value.name)
    assert names == ["LogInFailed"] * 10 + ["TooManyTries"] * 2
    assert 0 < refusal.value.details["retry_after_seconds"] <= 60
    assert house.log_in(code, data["password"], address="the owner's")["must_change_password"]


@pytest.mark.parametrize("new", ["short", OWN_PASSWORD, "matkhau123", "Nguyễn Thị Thử"])
def test_a_weak_password_is_refused_and_the_old_one_stays(house: House, officer: str, new: str) -> None:
    data = with_own_password(house, officer)
    with pytest.raises(CallRefused, match="PasswordTooWeak") as refusal:
        house.change_password(data["token"], OWN_PASSWORD, new)
    assert refusal.value.problems[0].field == "new_password"
    assert house.log_in(data["user"], OWN_PASSWORD)


def test_a_change_needs_the_password_in_use_and_a_token(house: House, officer: str) -> None:
    data = with_own_password(house, officer)
    with pytest.raises(CallRefused, match="OldPasswordWrong"):
        house.change_password(data["token"], "not the old one", "another password")
    with pytest.raises(CallRefused, match="TokenInvalid"):
        house.change_password("made up", OWN_PASSWORD, "another password")


def test_the_same_change_many_times_at_once_is_one_change_and_one_notice(house: House, officer: str) -> None:
    data = verified(house, officer)
    token = house.log_in(data["person"]["code"], data["password"])["token"]
    with ThreadPoolExecutor(12) as threads:
        sessions = list(
            threads.map(lambda _: house.change_password(token, data["password"], OWN_PASSWORD), range(12))
        )
    assert all(not session["must_change_password"] for session in sessions)
    states = house.rows(
        "SELECT state, count(*) FROM credentials WHERE account_id = %(id)s GROUP BY state ORDER BY state",
        id=data["issued"]["account_id"],
    )
    assert states == [{"state": "active", "count": 1}, {"state": "ended", "count": 1}]
    assert len(house.told("account.notice_due.v1", account_id=data["issued"]["account_id"])) == 1
    with pytest.raises(CallRefused, match="TokenInvalid"):
        house.change_password(token, data["password"], "quite another password")


@pytest.mark.proves("G13")
def test_a_citizen_who_comes_back_with_the_same_contact_is_not_sent_to_the_desk(
    house: House, officer: str
) -> None:
    person = new_person()
    first = verified(house, officer, person)
    again = house.submit(person, outcome="matched")
    (told,) = house.until_told("identity.verified.v1", again["registration_id"])
    assert told["method"] == "reused"
    (issued,) = house.until_told("credentials.issued.v1", again["registration_id"])
    assert issued["account_id"] == first["issued"]["account_id"]
    with pytest.raises(CallRefused, match="LogInFailed"):
        house.log_in(person.code, first["password"])
    assert house.log_in(person.code, house.notification.open(issued["sealed_secret"]))


# --- the audit trail -----------------------------------------------------------------------------


def test_of_many_that_use_one_refresh_token_at_once_all_get_the_same_one(house: House, officer: str) -> None:
    data = with_own_password(house, officer)
    session = house.log_in(data["user"], OWN_PASSWORD)
    token = house.gateway.open(session["sealed_refresh_token"])

    def refresh(_: object = None, token: str = token) -> str:
        reply = house.call("refresh", sealed_refresh_token=house.seal(token))
        return house.gateway.open(reply["sealed_refresh_token"])

    with ThreadPoolExecutor(8) as threads:
        (following,) = set(threads.map(refresh, range(8)))
    assert refresh(token=following) != following
    assert refused(house, "refresh", sealed_refresh_token=house.seal(token)).name == "TokenInvalid"
    access = house.seal(session["token"])
    assert refused(house, "me", sealed_token=access).name == "TokenInvalid", "it is in two hands"


def test_a_correction_over_rpc_is_answered_once_and_told_once(house: House, officer: str) -> None:
    data = with_own_password(house, officer)
    token = house.seal(data["token"])
    asked = house.call("ask_correction", sealed_token=token, full_name="Nguyễn Thị Sửa")
    assert refused(house, "ask_correction", sealed_token=token, sex="x").name == "RequestInvalid"
    assert refused(house, "ask_correction", sealed_token=token, sex="male").name == "RequestPending"
    (waiting,) = [
        item
        for item in house.call("open_requests", sealed_staff_token=officer)["items"]
        if item["id"] == asked["id"]
    ]
    assert waiting["code"] == data["user"]
    answer = {
        "sealed_staff_token": officer,
        "request_id": asked["id"],
        "granted": True,
        "papers_checked": True,
    }
    made = [house.call("answer_request", **answer) for _ in range(2)]
    assert made[0] == made[1]
    assert house.call("me", sealed_token=token)["full_name"] == "Nguyễn Thị Sửa"
    account_id = house.call("me", sealed_token=token)["account_id"]
    house.until(lambda: house.told("account.request_answered.v1", account_id=account_id), "not told")
    (told,) = house.told("account.request_answered.v1", account_id=account_id)
    assert (told["request_kind"], told["outcome"]) == ("correction", "granted")


def test_a_withdrawal_races_a_change_of_password_and_leaves_no_way_in(house: House, officer: str) -> None:
    for _ in range(5):
        data = with_own_password(house, officer)
        token = house.seal(data["token"])

        def withdraw(data: dict[str, Any] = data, token: str = token) -> Any:
            return house.call(
                "withdraw_consent", sealed_token=token, sealed_password=house.seal(OWN_PASSWORD)
            )

        def change(data: dict[str, Any] = data) -> Any:
            return house.change_password(data["token"], OWN_PASSWORD, "mật khẩu khác, không ai biết")

        with ThreadPoolExecutor(2) as threads:
            answers = [threads.submit(act) for act in (withdraw, change)]
        granted = answers[0].exception() is None
        for answer in answers:
            assert answer.exception() is None or isinstance(answer.exception(), CallRefused)
        live = house.rows(
            "SELECT c.id FROM credentials c JOIN accounts a ON a.id = c.account_id"
            " WHERE a.code = %(code)s AND c.state <> 'ended'",
            code=data["user"],
        )
        assert len(live) == (0 if granted else 1)


def test_every_call_of_an_officer_leaves_a_row_even_when_it_changes_nothing(
    house: House, officer: str
) -> None:
    case_id = house.case_of(house.submit())
    for _ in range(2):  # two requests, not one that is repeated under its key
        house.call("confirm_case", sealed_staff_token=officer, case_id=case_id, papers_checked=True)
    acts = house.rows("SELECT action FROM audit WHERE case_id = %(id)s ORDER BY id", id=case_id)
    assert [act["action"] for act in acts] == ["case_confirmed", "called_without_effect"]


def test_what_an_officer_did_is_sealed_and_anchored(house: House, officer: str) -> None:
    case_id = house.case_of(house.submit())
    house.call("case", sealed_staff_token=officer, case_id=case_id)
    sealed = """
        SELECT s.hash FROM audit a JOIN audit_seals s ON a.id = ANY(s.ids) WHERE a.case_id = %(id)s
    """
    house.until(  # a kill in a test before may have left the job under its lease of a minute
        lambda: house.rows(sealed, id=case_id), "it was not sealed", within_seconds=90
    )
    (seal,) = house.rows(sealed, id=case_id)
    anchors = house.anchors_dir / "anchors.jsonl"
    house.until(lambda: anchors.exists() and seal["hash"] in anchors.read_text(), "it was not anchored")
    house.until(lambda: seal["hash"] in house.process.log.read_text(), "its anchor is not in the log")
