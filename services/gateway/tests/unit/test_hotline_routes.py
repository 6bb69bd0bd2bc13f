"""The hotline's route and the second step of a log-in: what is asked of identity, and how it is told."""

from __future__ import annotations

import json

import pytest

from shared.messaging.calls import CallRefused
from shared.testing.voice_platform import PATH, VoicePlatform

UNTIL = "2026-01-01T08:00:00Z"
SESSION = {"expires_in": 900, "must_change_password": True}


def sent(http, request):
    return http.post(PATH, data=request.content, headers=dict(request.headers))


def signed(**options):
    return VoicePlatform(key_id="voice-1").signed("0912345678", "0123456789", **options)


def test_a_signed_request_reaches_identity_as_it_was_signed_and_the_script_is_opened(http, rpc, keys):
    script = {"text": "Mật khẩu …", "ssml": "<speak/>"}
    sealed = keys.sealer("identity").seal("gateway", json.dumps(script))
    rpc.answers["identity.reissue_by_hotline"] = {"sealed_script": sealed, "valid_until": UNTIL}
    request = signed(idempotency_key="one-and-the-same")

    response = sent(http, request)

    assert (response.status_code, response.json) == (200, {**script, "valid_until": UNTIL})
    assert response.headers["Cache-Control"] == "no-store"
    asked = rpc.last.kwargs
    assert keys.sealer("identity").open(asked["sealed_body"]).encode() == request.content
    names = ("signature-input", "signature", "content-digest", "idempotency-key")
    assert asked["headers"] == {name: request.headers[name] for name in names}
    assert "0912345678" not in json.dumps(asked)


@pytest.mark.parametrize("missing", ["signature-input", "signature", "content-digest"])
def test_without_a_signature_identity_is_not_asked(http, rpc, missing):
    request = signed()
    del request.headers[missing]
    response = sent(http, request)
    assert (response.status_code, response.json["type"].rsplit("/", 1)[-1]) == (401, "signature-missing")
    assert response.headers["WWW-Authenticate"] == "Signature"
    assert rpc.calls == []


@pytest.mark.parametrize(("caller", "code"), [("", "0123456789"), ("0912345678", ""), ("0" * 41, "1" * 41)])
def test_a_caller_who_was_not_understood_hears_what_identity_says_of_it(http, rpc, caller, code):
    rpc.answers["identity.reissue_by_hotline"] = CallRefused("HotlineMismatch", "không khớp", "", (), {})
    response = sent(http, VoicePlatform(key_id="voice-1").signed(caller, code))
    assert (response.status_code, response.json["detail"]) == (422, "không khớp")


@pytest.mark.parametrize("body", [{}, {"caller": "0912345678"}, {"caller": 1, "code": "0"}, {"code": ""}])
def test_what_is_missing_is_named(http, body):
    response = http.post(PATH, json=body)
    assert response.status_code == 422
    assert {error["field"] for error in response.json["errors"]} <= {"caller", "code"}


def test_a_mismatch_is_told_in_the_words_that_are_read(http, rpc):
    words = "số điện thoại và mã số bảo hiểm không khớp hoặc chưa đăng ký với cơ quan BHXH"
    rpc.answers["identity.reissue_by_hotline"] = CallRefused("HotlineMismatch", words, "no match", (), {})
    response = sent(http, signed())
    assert (response.status_code, response.json["detail"]) == (422, words)


def test_a_log_in_that_needs_a_code_names_the_next_step(http, rpc, keys):
    identity = keys.sealer("identity")
    rpc.answers["identity.log_in"] = {
        "next_step": "otp",
        "sealed_log_in_token": identity.seal("gateway", "the-token"),
        "valid_until": UNTIL,
        "tries_left": 5,
    }
    rpc.answers["identity.confirm_log_in"] = {
        **SESSION,
        "sealed_access_token": identity.seal("gateway", "a.jwt.token"),
        "sealed_device_token": identity.seal("gateway", "device"),
    }

    first = http.post("/v1/sessions", json={"user": "0123456789", "password": "4821059733"})

    assert (first.status_code, first.headers["Location"]) == (202, "/v1/sessions/otp")
    told = {"next_step": "otp", "log_in_token": "the-token", "valid_until": UNTIL, "tries_left": 5}
    assert first.json == told
    body = {"log_in_token": first.json["log_in_token"], "otp": "246810"}
    second = http.post(first.headers["Location"], json=body)
    assert second.status_code == 200
    assert (second.json["access_token"], second.json["device_token"]) == ("a.jwt.token", "device")
    assert identity.open(rpc.last.kwargs["sealed_log_in_token"]) == "the-token"
    assert identity.open(rpc.last.kwargs["sealed_otp"]) == "246810"


@pytest.mark.parametrize(
    ("path", "call", "body"),
    [
        ("/v1/sessions", "log_in", {"user": "0123456789", "password": "anything"}),
        ("/v1/sessions/otp", "confirm_log_in", {"log_in_token": "token", "otp": "246810"}),
    ],
    ids=["first step", "second step"],
)
def test_a_device_has_a_name_of_a_hundred_characters_at_both_steps_and_a_longer_one_is_named(
    http, rpc, path, call, body
):
    rpc.answers[f"identity.{call}"] = CallRefused("LogInFailed", "sai", "", (), {})
    http.post(path, json={**body, "device_name": "ộ" * 100})
    assert rpc.last.kwargs["device_name"] == "ộ" * 100
    asked = len(rpc.calls)
    for name in ("x" * 101, "x" * 200, ""):
        refused = http.post(path, json={**body, "device_name": name})
        assert refused.status_code == 422
        assert refused.json["errors"] == [{"field": "device_name", "detail": "Nhập từ 1 đến 100 ký tự."}]
    assert len(rpc.calls) == asked


def test_what_is_too_long_for_a_code_is_said(http):
    refused = http.post("/v1/sessions/otp", json={"log_in_token": "token", "otp": "2" * 21})
    assert refused.json["errors"] == [{"field": "otp", "detail": "Nhập từ 1 đến 20 ký tự."}]
