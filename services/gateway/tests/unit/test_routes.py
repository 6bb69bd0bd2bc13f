"""Every route: what it asks of which service, and how the answer is told."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

import pytest

from shared import tracing
from shared.messaging.calls import CallTimeout
from shared.sealed import SealKeyInvalid
from shared.sealed_objects import to_text

ID = "0192f6a0-0000-7000-8000-000000000001"
PATH = f"/v1/registrations/{ID}"
HELD = {"Registration-Token": "the-resume-token"}
CITIZEN = {"Authorization": "Bearer the-citizen-token"}
STAFF = {"Authorization": "Bearer the-staff-token"}
VIEW = {
    "id": ID,
    "status": "draft",
    "steps": {"declaration": "missing", "photos": "missing", "agency": "missing", "email": "missing"},
    "missing": ["declaration"],
    "register_check": None,
    "photos_needed": [],
    "declaration": None,
    "agency": None,
    "email": None,
    "email_verified": False,
    "warnings": [],
    "declaration_number": None,
    "deadline": None,
}
DECLARATION = {
    "code": "0123456789",
    "full_name": "Nguyễn Văn An",
    "birth": {"precision": "day", "value": "1990-05-17"},
    "sex": "male",
    "document": {"kind": "cccd", "number": "001090000001"},
    "phone": "0912345678",
    "address": {"province_code": "01", "commune_code": "00004", "street": "1 Trần Phú"},
}
SUBMITTED = {"id": ID, "status": "submitted", "declaration_number": "TK-1", "deadline": "2026-02-01"}
TIMELINE = {
    "status": "submitted",
    "entries": [{"step": "submitted", "at": "2026-01-01T00:00:00Z"}],
    "next": {"step": "visit", "text": "…"},
}
PARTICIPATION = {
    "totals": {"months": 12, "unpaid_months": 0},
    "items": [],
    "next_cursor": None,
    "source": "BHXH",
    "as_of": "2026-01-01",
}
CASE = {
    "id": ID, "registration_id": ID, "declaration_number": "TK-1", "full_name": "An", "code": "0123456789",
    "opened_at": "2026-01-01T00:00:00Z", "deadline": None, "register_outcome": "matched",
}  # fmt: skip


def held_plainly(kwargs: dict, keys) -> dict:
    """The call's arguments with the resume token opened, as registration would."""
    kwargs = dict(kwargs)
    assert keys.sealer("registration").open(kwargs.pop("sealed_resume_token")) == "the-resume-token"
    assert kwargs.pop("registration_id") == ID
    kwargs.pop("client", None)
    return kwargs


def test_starting_hands_out_the_resume_token_that_was_sealed_to_the_gateway(http, rpc, keys):
    sealed = keys.sealer("registration").seal("gateway", "fresh-token")
    rpc.answers["registration.start"] = {**VIEW, "sealed_resume_token": sealed}

    response = http.post("/v1/registrations", json={"language": "en"}, headers={"Idempotency-Key": "k" * 20})

    assert response.status_code == 201
    assert response.headers["Location"] == PATH
    assert response.json == {**VIEW, "resume_token": "fresh-token"}
    assert rpc.last.kwargs["language"] == "en"
    assert rpc.last.idempotency_key


@pytest.mark.parametrize(
    ("verb", "path", "body", "method", "asked"),
    [
        ("GET", "", None, "get", {}),
        ("PUT", "/declaration", DECLARATION, "save_declaration", {"declaration": DECLARATION}),
        (
            "PUT",
            "/agency",
            {"agency_code": "00101", "email": "an@example.com"},
            "choose_agency",
            {"agency_code": "00101", "email": "an@example.com"},
        ),
    ],
)
def test_a_held_registration_is_read_and_filled(http, rpc, keys, verb, path, body, method, asked):
    rpc.answers[f"registration.{method}"] = VIEW

    response = http.open(PATH + path, method=verb, json=body, headers=HELD)

    assert (response.status_code, response.json) == (200, VIEW)
    assert (rpc.last.service, rpc.last.method) == ("registration", method)
    assert held_plainly(rpc.last.kwargs, keys) == asked


def test_the_otp_travels_sealed_to_registration(http, rpc, keys):
    rpc.answers["registration.confirm_email_otp"] = VIEW

    response = http.post(f"{PATH}/email-otp/confirmation", json={"otp": "123456"}, headers=HELD)

    assert response.status_code == 200
    asked = held_plainly(rpc.last.kwargs, keys)
    assert keys.sealer("registration").open(asked["sealed_otp"]) == "123456"
    assert "123456" not in json.dumps(rpc.last.kwargs)


def test_asking_for_a_code_is_accepted_and_says_how_long_it_is_good(http, rpc):
    rpc.answers["registration.request_email_otp"] = {"valid_until": "2026-01-01T00:10:00Z", "tries_left": 5}

    response = http.post(f"{PATH}/email-otp", headers=HELD)

    assert response.status_code == 202
    assert response.json == {"valid_until": "2026-01-01T00:10:00Z", "tries_left": 5}


def test_submitting_points_at_the_timeline(http, rpc, keys):
    rpc.answers["registration.submit"] = SUBMITTED

    response = http.post(f"{PATH}/submission", json={"consent_version": "2026-01"}, headers=HELD)

    assert (response.status_code, response.json) == (202, SUBMITTED)
    assert response.headers["Location"] == f"{PATH}/timeline"
    assert held_plainly(rpc.last.kwargs, keys) == {"consent_version": "2026-01"}


def test_cancelling_is_accepted(http, rpc):
    rpc.answers["registration.cancel"] = {"id": ID, "status": "cancelled"}

    assert http.delete(PATH, headers=HELD).status_code == 202


def test_the_same_idempotency_key_of_two_registrations_is_two_keys(http, rpc):
    rpc.answers["registration.submit"] = SUBMITTED
    other = PATH[:-1] + "2"
    for path in (PATH, other, PATH):
        http.post(f"{path}/submission", json={}, headers={**HELD, "Idempotency-Key": "same-key-for-everyone"})

    first, second, third = (called.idempotency_key for called in rpc.calls)
    assert first == third != second


def test_where_there_is_no_token_yet_the_key_counts_with_the_callers_address(http, rpc, keys):
    sealed = keys.sealer("registration").seal("gateway", "fresh-token")
    rpc.answers["registration.start"] = {**VIEW, "sealed_resume_token": sealed}
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        http.post(
            "/v1/registrations",
            json={},
            headers={"Idempotency-Key": "1234567890abcdef"},
            environ_base={"REMOTE_ADDR": address},
        )

    first, second, third = (called.idempotency_key for called in rpc.calls)
    assert first == third != second


@pytest.mark.parametrize("no_text", ["S\x00", "\ud800", "\udfff!"])
def test_a_text_that_is_none_is_refused_by_its_field(http, rpc, no_text):
    def send(method, path, body, headers=None):
        text = json.dumps(body)  # which spells it in ASCII
        return http.open(path, method=method, data=text, content_type="application/json", headers=headers)

    declaration = {**DECLARATION, "address": {"commune_code": no_text}}
    in_a_field = send("PUT", f"{PATH}/declaration", declaration, HELD)
    at_log_in = send("POST", "/v1/sessions", {"user": "0123456789", "password": no_text})

    assert [answer.status_code for answer in (in_a_field, at_log_in)] == [422, 422]
    assert [error["field"] for error in in_a_field.json["errors"]] == ["address.commune_code"]
    assert [error["field"] for error in at_log_in.json["errors"]] == ["password"]
    assert not rpc.calls


def test_a_text_that_is_none_is_refused_in_a_query_too(http, rpc):
    answer = http.get("/v1/agencies?province_code=%00")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["province_code"]
    assert not rpc.calls


def test_the_timeline_is_told_again_only_when_it_changed(http, rpc):
    rpc.answers["registration.timeline"] = {**TIMELINE, "tag": "a" * 32, "unchanged": False}
    first = http.get(f"{PATH}/timeline", headers=HELD)
    assert rpc.last.kwargs["known_tags"] == []
    rpc.answers["registration.timeline"] = {"tag": "a" * 32, "unchanged": True}
    for tag in (first.headers["ETag"], f'W/{first.headers["ETag"]}, "x"'):
        again = http.get(f"{PATH}/timeline", headers={**HELD, "If-None-Match": tag})
        assert rpc.last.kwargs["known_tags"] == ["a" * 32]
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", f'"{"a" * 32}"')
        assert again.headers["Cache-Control"] == "private, no-cache"

    assert (first.status_code, first.json) == (200, TIMELINE)
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_a_declaration_is_handed_out_as_a_pdf_of_its_number(http, rpc, keys):
    content = b"%PDF-1.4 ..."
    rpc.answers["registration.declaration_pdf"] = {
        "number": "TK-2026-000000001",
        "content": base64.b64encode(content).decode(),
        "sha256": "ab" * 32,
    }
    first = http.get(f"{PATH}/declaration.pdf", headers=HELD)
    again = http.get(f"{PATH}/declaration.pdf", headers={**HELD, "If-None-Match": first.headers["ETag"]})

    assert held_plainly(rpc.last.kwargs, keys) == {}
    assert (first.status_code, first.data, first.mimetype) == (200, content, "application/pdf")
    assert first.headers["Content-Disposition"] == 'inline; filename="TK-2026-000000001.pdf"'
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.data) == (304, b"")
    assert http.get(f"{PATH}/declaration.pdf").status_code == 401


def test_the_text_on_personal_data_is_public(http, rpc):
    rpc.answers["registration.consent"] = {
        "version": "2026-01", "language": "en", "text": "…", "sha256": "ab" * 32, "in_force": True,
    }  # fmt: skip
    found = http.get("/v1/consent?language=en")

    assert (found.status_code, found.json["version"]) == (200, "2026-01")
    assert rpc.last.kwargs == {"language": "en"}


def test_a_photo_is_put_into_quarantine_and_its_reference_passed(http, rpc, keys, objects, opens):
    rpc.answers["registration.attach_photo"] = VIEW
    image = b"\xff\xd8\xff" + b"x" * 150_000

    response = http.put(f"{PATH}/photos/portrait", data=image, content_type="image/jpeg", headers=HELD)

    asked = held_plainly(rpc.last.kwargs, keys)
    assert response.status_code == 200
    assert asked["ref"].startswith("quarantine/")
    assert opens.read(asked["ref"]) == image
    with pytest.raises(SealKeyInvalid):  # the gateway cannot read back what it took in
        objects.read(asked["ref"])
    assert (asked["kind"], asked["size_bytes"], asked["sha256"]) == (
        "portrait", len(image), hashlib.sha256(image).hexdigest(),
    )  # fmt: skip


@pytest.mark.proves("G8")
def test_agencies_are_asked_for_by_place_and_units_by_day(http, rpc):
    rpc.answers["registration.agencies"] = {"items": []}
    rpc.answers["registration.administrative_units"] = {"items": []}
    http.get("/v1/agencies?latitude=21.03&longitude=105.8&commune_code=00004")
    assert rpc.last.kwargs == {"latitude": 21.03, "longitude": 105.8, "commune_code": "00004"}
    http.get("/v1/administrative-units?parent=001&on=2025-06-30")
    assert rpc.last.kwargs == {"parent": "001", "on": "2025-06-30"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("agencies?latitude=21", "longitude"),
        ("agencies?longitude=105", "latitude"),
        ("agencies?latitude=north&longitude=105", "latitude"),
        ("agencies?latitude=91&longitude=105", "latitude"),
        ("agencies?latitude=21&longitude=nan", "longitude"),
        ("administrative-units?on=30/06/2025", "on"),
    ],
)
def test_a_place_or_a_day_that_is_none_is_refused_by_its_field(http, query, field):
    answer = http.get(f"/v1/{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_agencies_and_units_are_public_and_cacheable(http, rpc):
    agency = {"code": "00101", "name": "Đống Đa", "display_name": "(001) …", "address": "…",
              "province_code": "01", "latitude": 21.0, "longitude": 105.8}  # fmt: skip
    unit = {"code": "01", "name": "Hà Nội", "kind": "city", "parent": None}
    rpc.answers["registration.agencies"] = {"items": [agency]}
    rpc.answers["registration.administrative_units"] = {"items": [unit]}

    agencies = http.get("/v1/agencies?province_code=01&q=đống")
    asked = rpc.last.kwargs
    units = http.get("/v1/administrative-units")

    assert agencies.json == {"items": [agency]}
    assert asked == {"province_code": "01", "q": "đống"}
    assert units.json == {"items": [unit]}
    assert "public" in units.headers["Cache-Control"]


def test_me_and_participation_carry_the_token_to_the_service_that_reads_it(http, rpc, keys):
    me = {"account_id": ID, "code": "0123456789", "full_name": "An", "must_change_password": False}
    rpc.answers["identity.me"] = me
    rpc.answers["history.participation"] = PARTICIPATION

    assert http.get("/v1/me", headers=CITIZEN).json == me
    assert keys.sealer("identity").open(rpc.last.kwargs["sealed_token"]) == "the-citizen-token"
    assert http.get("/v1/me/participation?cursor=c1", headers=CITIZEN).json == PARTICIPATION
    assert keys.sealer("history").open(rpc.last.kwargs["sealed_token"]) == "the-citizen-token"
    assert rpc.last.kwargs["cursor"] == "c1"


def test_an_officer_logs_at_log_ins_and_reads(http, rpc, keys):
    sealed = keys.sealer("identity").seal("gateway", "staff-token")
    until = "2026-01-01T08:00:00Z"
    rpc.answers["identity.staff_log_in"] = {"sealed_staff_token": sealed, "expires_at": until}
    rpc.answers["identity.cases"] = {"items": [CASE], "next_cursor": "c2"}
    rpc.answers["identity.case"] = CASE

    session = http.post("/v1/staff/sessions", json={"user": "officer", "password": "secret"})
    listed = http.get("/v1/staff/cases", headers=STAFF)
    assert rpc.last.kwargs["status"] == "waiting"
    read = http.get(f"/v1/staff/cases/{ID}", headers=STAFF)

    assert session.json == {"token": "staff-token", "expires_at": until}
    assert listed.json == {"items": [CASE], "next_cursor": "c2"}
    assert read.json == CASE
    assert keys.sealer("identity").open(rpc.last.kwargs["sealed_staff_token"]) == "the-staff-token"


def photo_told(keys: Any, ref: str, key: bytes) -> dict[str, str]:
    sealed = keys.sealer("identity").seal("gateway", to_text(key))
    return {"ref": ref, "content_type": "image/jpeg", "sealed_key": sealed}


def test_a_photo_of_a_case_is_streamed_and_never_cached(http, rpc, keys, opens):
    stored = opens.put(io.BytesIO(b"jpeg" * 50_000), prefix="photos", max_bytes=1_000_000)
    rpc.answers["identity.photo"] = photo_told(keys, stored.ref, opens.key_of(stored.ref))

    response = http.get(f"/v1/staff/cases/{ID}/photos/portrait", headers=STAFF)

    assert response.data == b"jpeg" * 50_000
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Cache-Control"] == "no-store"


def test_a_photo_that_is_gone_or_does_not_open_is_not_found(http, rpc, keys, opens):
    one, other = (opens.put(b"jpeg", prefix="photos", max_bytes=9).ref for _ in range(2))
    for ref, key in ((one, opens.key_of(other)), ("photos/" + "0" * 32, opens.key_of(one))):
        rpc.answers["identity.photo"] = photo_told(keys, ref, key)
        response = http.get(f"/v1/staff/cases/{ID}/photos/portrait", headers=STAFF)
        assert (response.status_code, response.json["type"].rpartition("/")[2]) == (404, "photo-unknown")


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("verification", "confirm_case", {"papers_checked": True}),
        ("rejection", "reject_case", {"reason": "Ảnh không khớp"}),
    ],
)
def test_an_officer_decides(http, rpc, path, method, body):
    rpc.answers[f"identity.{method}"] = {"id": ID, "status": "verified"}

    response = http.post(f"/v1/staff/cases/{ID}/{path}", json=body, headers=STAFF)

    assert (response.status_code, response.json) == (202, {"id": ID, "status": "verified"})
    assert {k: rpc.last.kwargs[k] for k in body} == body


def test_head_and_options_are_answered(http, rpc):
    rpc.answers["registration.agencies"] = {"items": []}

    head = http.head("/v1/agencies")
    options = http.options("/v1/sessions")

    assert (head.status_code, head.data) == (200, b"")
    assert options.status_code == 200
    assert "POST" in options.headers["Allow"]


def test_the_openapi_document_is_3_1_and_knows_every_route(http, app):
    document = http.get("/openapi.json").json
    routes = {
        (
            rule.rule.replace("<uuid:", "<").split("<any")[0].replace("<", "{").replace(">", "}"),
            method.lower(),
        )
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    documented = {
        (path.split("{kind}")[0], method)
        for path, operations in document["paths"].items()
        for method in operations
        if method in ("get", "put", "post", "delete")
    }

    assert document["openapi"] == "3.1.0"
    assert routes == documented


def test_every_answer_carries_the_security_headers_and_a_request_id(http, rpc):
    rpc.answers["registration.agencies"] = {"items": []}
    trace = "0af7651916cd43dd8448eb211c80319c"

    response = http.get("/v1/agencies", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Request-Id"] == trace


def test_the_trace_shows_the_route_and_the_ids_in_it_and_nothing_of_the_request(http, rpc):
    rpc.answers["registration.save_declaration"] = VIEW
    spans = []
    tracing.export_to(spans.append)
    try:
        http.put(f"{PATH}/declaration", json=DECLARATION, headers=HELD)
        http.get("/v1/nothing/0912345678")
    finally:
        tracing.export_to(None)
    saved, nothing = spans
    assert saved.name == "PUT /v1/registrations/<uuid:registration_id>/declaration"
    assert saved.attributes == {"http_status": 200, "registration_id": ID}
    assert (nothing.name, nothing.attributes) == ("- -", {"http_status": 404})
    assert "0912345678" not in repr(spans)


def test_a_request_that_is_not_answered_shows_as_failed(http, rpc):
    rpc.answers["registration.get"] = CallTimeout("late")
    spans = []
    tracing.export_to(spans.append)
    try:
        http.get(PATH, headers=HELD)
    finally:
        tracing.export_to(None)
    assert spans[0].failure == "status 503"
