"""The routes of a forgotten password."""

from __future__ import annotations

from services.gateway.tests.unit.test_routes import ID

STARTED = {"id": ID, "valid_until": "2026-01-01T00:10:00+00:00"}
PATH = f"/v1/password-resets/{ID}/confirmation"


def test_asking_is_passed_on_with_the_key_and_answered_with_202(http, rpc):
    rpc.answers["identity.start_email_reset"] = STARTED
    response = http.post(
        "/v1/password-resets", json={"user": "0123456789"}, headers={"Idempotency-Key": "k" * 20}
    )
    assert (response.status_code, response.json) == (202, STARTED)
    assert rpc.last.kwargs.pop("client")["address"]
    assert rpc.last.kwargs == {"user": "0123456789", "email": None}
    assert rpc.last.idempotency_key


def test_code_and_password_travel_sealed_to_identity(http, rpc, keys):
    sealed = keys.sealer("identity").seal("gateway", "the device's")
    rpc.answers["identity.finish_email_reset"] = {"sealed_device_token": sealed}
    response = http.post(PATH, json={"otp": "123456", "new_password": "một con vịt"})
    assert (response.status_code, response.json) == (200, {"device_token": "the device's"})
    kwargs = rpc.last.kwargs
    identity = keys.sealer("identity")
    assert kwargs["reset_id"] == ID
    assert identity.open(kwargs["sealed_otp"]) == "123456"
    assert identity.open(kwargs["sealed_new_password"]) == "một con vịt"
    assert "123456" not in repr(kwargs)
    assert kwargs["client"]["address"]
    assert kwargs["client"]["network"]


def test_an_identity_that_hands_out_no_device_is_understood(http, rpc):
    rpc.answers["identity.finish_email_reset"] = {}
    response = http.post(PATH, json={"otp": "123456", "new_password": "một con vịt"})
    assert (response.status_code, response.json) == (200, {})


def test_each_field_that_is_missing_is_named(http):
    asked = http.post("/v1/password-resets", json={"email": "an@example.com"})
    assert [error["field"] for error in asked.json["errors"]] == ["user"]
    sent = http.post(PATH, json={})
    assert sorted(error["field"] for error in sent.json["errors"]) == ["new_password", "otp"]
