"""Whose an ``Idempotency-Key`` is, and which secrets make another request under it."""

from __future__ import annotations

import pytest

REGISTRATION = "/v1/registrations/0192f6a0-0000-7000-8000-000000000001/email-otp/confirmation"
KEY = {"Idempotency-Key": "the-same-key-for-everyone"}


@pytest.fixture
def confirmed(http, rpc, keys):
    """Sends a code under the one key; what identity was asked then."""
    sealed = keys.sealer("identity").seal("gateway", "a.jwt.token")
    rpc.answers["identity.confirm_log_in"] = {
        "expires_in": 900, "must_change_password": True, "sealed_access_token": sealed,
    }  # fmt: skip

    def send(token, otp, address="192.0.2.1", **headers):
        body = {"log_in_token": token, "otp": otp}
        asked = {**KEY, **headers}
        http.post("/v1/sessions/otp", json=body, headers=asked, environ_base={"REMOTE_ADDR": address})
        return rpc.last

    return send


def test_the_key_of_a_log_in_is_the_key_of_its_token_and_not_of_the_address(confirmed):
    first = confirmed("token-one", "123456")
    assert confirmed("token-one", "123456", "192.0.2.2").idempotency_key == first.idempotency_key
    assert confirmed("rubbish", "123456").idempotency_key != first.idempotency_key
    lent = {"Authorization": "Bearer token-one", "Registration-Token": "token-one"}
    assert confirmed("rubbish", "123456", **lent).idempotency_key != first.idempotency_key


def test_another_code_under_the_same_key_is_another_request(confirmed):
    def counted(called):
        return {name: value for name, value in called.kwargs.items() if not name.startswith("sealed_")}

    first = counted(confirmed("token-one", "123456"))
    assert counted(confirmed("token-one", "123456")) == first
    assert counted(confirmed("token-one", "123457")) != first
    assert counted(confirmed("token-two", "123456")) != first, "a code alone is soon guessed"
    assert not {"token-one", "123456"} & set(map(str, first.values()))


def test_so_is_another_code_for_an_e_mail_address(http, rpc):
    rpc.answers["registration.confirm_email_otp"] = {}

    def counted(token, otp):
        http.post(REGISTRATION, json={"otp": otp}, headers={**KEY, "Registration-Token": token})
        return rpc.last.kwargs["secret_digest"]

    first = counted("token-one", "123456")
    assert counted("token-one", "123456") == first
    assert len({first, counted("token-one", "123457"), counted("token-two", "123456")}) == 3


def test_without_a_key_nothing_is_told_of_a_code(http, rpc):
    rpc.answers["registration.confirm_email_otp"] = {}
    http.post(REGISTRATION, json={"otp": "123456"}, headers={"Registration-Token": "token-one"})
    assert "secret_digest" not in rpc.last.kwargs
