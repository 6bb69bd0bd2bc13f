"""Logging in at the running service, and changing the password."""

from __future__ import annotations

import base64
import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from services.identity.tests.integration.house import House, transaction_on
from services.identity.tests.integration.steps import OWN_PASSWORD, refused, verified, with_own_password
from shared.messaging.calls import CallRefused

pytestmark = pytest.mark.usefixtures("matching_register")


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


def spellings(token: str) -> set[str]:
    """How a token would read in a row: itself, its bytes, or the random ones alone."""
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    return {token, token.encode().hex(), raw.hex(), raw[-32:].hex()}


def test_of_the_tokens_of_citizens_devices_and_officers_the_database_keeps_hashes_alone(
    house: House, officer: str
) -> None:
    data, desk = with_own_password(house, officer), f"desk-{uuid.uuid4().hex}"
    house.add_staff(desk)
    entered = house.log_in(data["user"], OWN_PASSWORD)
    refresh = house.gateway.open(entered["sealed_refresh_token"])
    reply = house.call("refresh", sealed_refresh_token=house.seal(refresh))
    tokens = {
        "device": house.gateway.open(entered["sealed_device_token"]),
        "used refresh": refresh,
        "refresh": house.gateway.open(reply["sealed_refresh_token"]),
        "officer": house.staff_token(desk),
    }
    tables = house.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    kept = "".join(
        row["line"]
        for table in tables
        for row in house.rows(f'SELECT t::text AS line FROM public."{table["relname"]}" t')  # noqa: S608
    )
    for name, token in tokens.items():
        assert hashlib.sha256(token.encode()).hexdigest() in kept, f"the look finds no hash of {name}"
        assert not [spelling for spelling in spellings(token) if spelling in kept], name


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
    assert "1900 9068 nhánh 8" in refusal.value.vi
    assert "1900 9068, key 8" in refusal.value.en
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
