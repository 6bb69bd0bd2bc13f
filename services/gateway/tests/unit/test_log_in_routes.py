"""Log-ins of citizens and officers: what travels sealed, and what is refused before anybody is asked."""

from __future__ import annotations

import json

import pytest

from shared.messaging.calls import CallRefused
from shared.refusals import FieldProblem

CITIZEN = {"Authorization": "Bearer the-citizen-token"}
SESSION = {"expires_in": 900, "must_change_password": True}
LOG_INS = ["/v1/sessions", "/v1/staff/sessions"]


def test_logging_in_seals_the_password_and_opens_the_token(http, rpc, keys):
    token = keys.sealer("identity").seal("gateway", "a.jwt.token")
    rpc.answers["identity.log_in"] = {**SESSION, "sealed_access_token": token}

    response = http.post("/v1/sessions", json={"user": "0123456789", "password": "Mật khẩu"})

    assert response.status_code == 200
    assert response.json == {**SESSION, "access_token": "a.jwt.token", "token_type": "Bearer"}
    asked = rpc.last.kwargs
    assert keys.sealer("identity").open(asked["sealed_password"]) == "Mật khẩu"
    assert asked["user"] == "0123456789"
    assert "127.0.0.1" not in json.dumps(asked)


def test_changing_the_password_answers_with_a_fresh_token(http, rpc, keys):
    token = keys.sealer("identity").seal("gateway", "fresh.jwt")
    rpc.answers["identity.change_password"] = {
        "sealed_access_token": token, "expires_in": 900, "must_change_password": False,
    }  # fmt: skip

    response = http.put(
        "/v1/me/password", json={"old_password": "old", "new_password": "new"}, headers=CITIZEN
    )

    opener = keys.sealer("identity")
    assert response.json["access_token"] == "fresh.jwt"
    opened = {name: opener.open(value) for name, value in rpc.last.kwargs.items()}
    assert opened == {
        "sealed_token": "the-citizen-token", "sealed_old_password": "old", "sealed_new_password": "new",
    }  # fmt: skip


def test_an_officers_code_travels_sealed_and_what_an_app_reads_comes_back_with_the_next_step(http, rpc, keys):
    uri = "otpauth://totp/VssID:officer?secret=GEZDGNBVGY3TQOJQ"
    sealed = keys.sealer("identity").seal("gateway", uri)
    rpc.answers["identity.staff_log_in"] = {"next_step": "enrol", "sealed_totp_uri": sealed}

    handed_over = {"user": "officer", "password": "secret", "enrolment_code": "MFRG-GZDF-MZTW-Q2LK"}
    step = http.post("/v1/staff/sessions", json=handed_over)
    assert rpc.last.kwargs["sealed_totp"] is None
    opened = keys.sealer("identity").open(rpc.last.kwargs["sealed_enrolment_code"])
    assert opened == handed_over["enrolment_code"]
    again = {"user": "officer", "password": "secret", "totp": "123456"}
    http.post("/v1/staff/sessions", json=again)

    assert (step.status_code, step.json) == (202, {"next_step": "enrol", "totp_uri": uri})
    assert step.headers["Cache-Control"] == "no-store"
    assert keys.sealer("identity").open(rpc.last.kwargs["sealed_totp"]) == "123456"
    assert "123456" not in str(rpc.last.kwargs)


def test_an_officers_device_is_handed_out_once_and_travels_sealed(http, rpc, keys):
    sealed = {name: keys.sealer("identity").seal("gateway", name) for name in ("staff_token", "device_token")}
    until = "2026-01-01T08:00:00Z"
    reply = {f"sealed_{name}": text for name, text in sealed.items()}
    rpc.answers["identity.staff_log_in"] = {**reply, "expires_at": until}
    typed = {"user": "officer", "password": "secret"}

    first = http.post("/v1/staff/sessions", json=typed)
    assert rpc.last.kwargs["sealed_device_token"] is None
    assert first.json == {"token": "staff_token", "expires_at": until, "device_token": "device_token"}

    rpc.answers["identity.staff_log_in"] = {**reply, "expires_at": until, "sealed_device_token": None}
    again = http.post("/v1/staff/sessions", json={**typed, "device_token": "device_token"})
    assert again.json == {"token": "staff_token", "expires_at": until}
    assert keys.sealer("identity").open(rpc.last.kwargs["sealed_device_token"]) == "device_token"


@pytest.mark.parametrize("name", ["TotpRequired", "TotpWrong", "EnrolmentCodeRequired", "EnrolmentCodeWrong"])
def test_a_code_that_is_missing_or_wrong_is_a_refusal_that_names_the_field(http, rpc, name):
    rpc.answers["identity.staff_log_in"] = CallRefused(
        name, "Cần mã.", "A code is needed.", (FieldProblem("totp", "Nhập mã.", "Give the code."),), {}
    )
    refused = http.post("/v1/staff/sessions", json={"user": "officer", "password": "secret"})
    assert refused.status_code == 422
    assert [problem["field"] for problem in refused.json["errors"]] == ["totp"]


@pytest.mark.parametrize("path", LOG_INS)
@pytest.mark.parametrize("user", ["", " ", " \t\u00a0\n", "x" * 61])
def test_a_user_who_is_blank_or_too_long_is_named_and_nobody_is_asked(http, rpc, path, user):
    refused = http.post(path, json={"user": user, "password": "anything"})
    assert refused.status_code == 422
    assert refused.json["errors"] == [{"field": "user", "detail": "Nhập từ 1 đến 60 ký tự."}]
    assert rpc.calls == []


@pytest.mark.parametrize("path", LOG_INS)
@pytest.mark.parametrize("user", ["", "  "])
@pytest.mark.parametrize("password", [{}, {"password": ""}], ids=["missing", "empty"])
def test_of_a_form_that_was_sent_empty_both_fields_are_named(http, rpc, path, user, password):
    refused = http.post(path, json={"user": user, **password})
    assert refused.status_code == 422
    assert sorted(error["field"] for error in refused.json["errors"]) == ["password", "user"]
    assert rpc.calls == []


@pytest.mark.parametrize("user", [" 0123 456 789 ", "x" * 60])
def test_a_user_with_spaces_about_it_is_asked_for(http, rpc, user):
    rpc.answers["identity.log_in"] = CallRefused("LogInFailed", "sai", "wrong", (), {})
    assert http.post("/v1/sessions", json={"user": user, "password": " "}).status_code == 401
    assert rpc.last.kwargs["user"] == user


def test_the_openapi_document_says_how_long_a_log_ins_texts_may_be(http):
    shapes = http.get("/openapi.json").json["components"]["schemas"]
    for name, field, longest in (
        ("LogIn", "user", 60),
        ("StaffLogIn", "user", 60),
        ("LogIn", "device_name", 100),
        ("LogInOtp", "device_name", 100),
    ):
        said = shapes[name]["properties"][field]
        assert (said["minLength"], said["maxLength"]) == (1, longest)
