"""Every refusal and failure, as problem+json."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path

import pytest

from services.gateway.problems import DETAILS, KINDS, slug
from shared.messaging.calls import CallFailed, CallRefused, CallTimeout, ServiceUnknown
from shared.objects import ObjectsAway
from shared.refusals import FieldProblem
from shared.sealed_objects import to_text

ROOT = Path(__file__).parents[4]
ID = "0192f6a0-0000-7000-8000-000000000001"
PATH = f"/v1/registrations/{ID}"
PHOTO_MAX_BYTES = 200 * 1024
HELD = {"Registration-Token": "the-resume-token"}


def refusal(name: str, *problems: FieldProblem, **details) -> CallRefused:
    return CallRefused(
        name=name, vi="Câu tiếng Việt.", en="English sentence.", problems=problems, details=details
    )


def read(response) -> dict:
    """The problem of an answer, its shape checked."""
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(response.data)
    assert {"type", "title", "status", "detail", "instance", "trace_id", "errors"} <= set(problem)
    assert problem["status"] == response.status_code
    assert problem["trace_id"] == response.headers["X-Request-Id"]
    return problem


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_refusal_has_its_status_type_and_title_in_two_languages(http, rpc, name):
    rpc.answers["registration.get"] = refusal(name)

    vietnamese = read(http.get(PATH, headers=HELD))
    english = read(http.get(PATH, headers={**HELD, "Accept-Language": "en-GB,en;q=0.9"}))

    kind = KINDS[name]
    assert vietnamese["status"] == kind.status
    assert vietnamese["type"] == f"https://vssid.example/problems/{slug(name)}"
    assert (vietnamese["title"], vietnamese["detail"]) == (kind.vi, "Câu tiếng Việt.")
    assert (english["title"], english["detail"]) == (kind.en, "English sentence.")


def test_a_refusal_that_the_table_does_not_know_is_422(http, rpc):
    rpc.answers["registration.get"] = refusal("SomethingNew")

    assert read(http.get(PATH, headers=HELD))["status"] == 422


def test_refused_fields_are_told_with_what_would_be_right(http, rpc):
    field = FieldProblem("document.number", "Gồm 12 chữ số.", "12 digits.")
    rpc.answers["registration.save_declaration"] = refusal("DeclarationInvalid", field)

    problem = read(http.put(f"{PATH}/declaration", json={}, headers=HELD))

    assert problem["errors"] == [{"field": "document.number", "detail": "Gồm 12 chữ số."}]


def refusals_of(service: str) -> list[str]:
    """The named refusals of a service's domain, read from its source: every class under ``Refused``."""
    known = {"Refused"}
    found: list[str] = []
    for path in sorted((ROOT / "services" / service).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "") in known for b in node.bases):
                known.add(node.name)
                found.append(node.name)
    return found


@pytest.mark.parametrize("service", ["registration", "identity", "notification", "history"])
def test_every_refusal_that_a_service_may_raise_has_a_row_of_the_table(service):
    missing = [name for name in refusals_of(service) if name not in KINDS]

    assert missing == []


@pytest.mark.parametrize(
    "absence",
    [
        CallTimeout("registration.get"),
        CallFailed("x"),
        CallFailed("DatabaseAway", error_id="0" * 32),
        ServiceUnknown("registration"),
    ],
)
def test_a_service_that_is_away_is_503_with_retry_after(http, rpc, absence):
    rpc.answers["registration.get"] = absence

    response = http.get(PATH, headers=HELD)

    assert read(response)["status"] == 503
    assert int(response.headers["Retry-After"]) > 0


def test_an_unexpected_error_is_500_with_an_id_and_nothing_of_the_error(http, rpc, capfd):
    rpc.answers["registration.get"] = RuntimeError("phone 0912345678")

    response = http.get(PATH, headers=HELD)

    problem = read(response)
    assert problem["status"] == 500
    assert problem["details"]["error_id"]
    assert b"0912345678" not in response.data
    assert "0912345678" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/registrations/not-an-id", 404),
        ("PUT", f"{PATH}/photos/selfie", 404),
        ("PATCH", PATH, 405),
    ],
)
def test_what_is_not_there_is_a_problem_too(http, verb, path, status):
    response = http.open(path, method=verb, headers=HELD)

    assert read(response)["status"] == status
    if status == 405:
        assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 40 + b"]" * 40, "application/json", 400),
        (b'{"otp": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"otp": 123456}', "application/json", 422),
        (b'{"otp": "1", "more": 1}', "application/json", 422),
        (b"otp=123456", "application/x-www-form-urlencoded", 415),
        (b'{"otp": "' + b"1" * 70_000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_of_the_wrong_shape_never_reaches_a_service(http, rpc, body, media, status):
    response = http.post(f"{PATH}/email-otp/confirmation", data=body, content_type=media, headers=HELD)

    assert read(response)["status"] == status
    assert rpc.calls == []


def test_a_large_body_that_does_not_say_its_length_is_413_too(http, rpc):
    body = io.BytesIO(b'{"otp": "' + b"1" * 70_000 + b'"}')

    response = http.post(
        f"{PATH}/email-otp/confirmation",
        input_stream=body,
        content_type="application/json",
        headers=HELD,
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert read(response)["status"] == 413
    assert rpc.calls == []


def test_a_wrong_shape_names_the_fields_dotted(http):
    body = {"code": 5, "birth": {"value": 1990}, "document": "x", "nickname": "An"}

    problem = read(http.put(f"{PATH}/declaration", json=body, headers={**HELD, "Accept-Language": "en"}))

    assert {e["field"]: e["detail"] for e in problem["errors"]} == {
        "code": "Must be a string.",
        "birth.value": "Must be a string.",
        "document": "Must be a JSON object.",
        "nickname": "There is no such field.",
    }


@pytest.mark.parametrize(
    ("verb", "path"), [("GET", PATH), ("PUT", f"{PATH}/photos/portrait"), ("POST", f"{PATH}/email-otp")]
)
def test_without_the_resume_token_nothing_is_asked(http, rpc, verb, path):
    assert read(http.open(path, method=verb, data=b"x", content_type="image/png"))["status"] == 401
    assert rpc.calls == []


@pytest.mark.parametrize("given", [None, "Basic abc", "Bearer", "Bearer " + "x" * 5000])
def test_without_a_bearer_token_nobody_is_let_in(http, rpc, given):
    headers = {"Authorization": given} if given else {}

    assert read(http.get("/v1/me", headers=headers))["status"] == 401
    assert rpc.calls == []


def test_a_photo_over_the_limit_is_413_whether_or_not_it_says_its_length(http, rpc, objects):
    big = b"x" * (PHOTO_MAX_BYTES + 1)
    unsaid = {"input_stream": io.BytesIO(big), "environ_overrides": {"wsgi.input_terminated": True}}
    for body in ({"data": big}, unsaid):
        response = http.put(f"{PATH}/photos/portrait", content_type="image/jpeg", headers=HELD, **body)
        problem = read(response)
        assert (problem["status"], problem["errors"][0]["field"]) == (413, "photo")
    assert rpc.calls == []
    assert [p for p in objects.store.root.rglob("*") if p.is_file()] == []


def test_a_photo_that_does_not_claim_to_be_one_is_415(http):
    response = http.put(f"{PATH}/photos/portrait", data=b"<svg/>", content_type="image/svg+xml", headers=HELD)

    assert read(response)["status"] == 415


@pytest.mark.parametrize("method", ["put", "chunks"])
def test_while_the_object_store_is_away_it_is_503_with_retry_after(
    http, rpc, keys, objects, monkeypatch, method
):
    def away(*_args, **_kwargs):
        raise ObjectsAway("503 SlowDown")

    monkeypatch.setattr(objects, method, away)
    key = keys.sealer("identity").seal("gateway", to_text(bytes(32)))
    rpc.answers["identity.photo"] = {"ref": "photos/x", "content_type": "image/jpeg", "sealed_key": key}

    if method == "put":
        response = http.put(f"{PATH}/photos/portrait", data=b"x", content_type="image/jpeg", headers=HELD)
    else:
        response = http.get(f"/v1/staff/cases/{ID}/photos/portrait", headers={"Authorization": "Bearer x"})

    assert (response.status_code, read(response)["type"].rsplit("/", 1)[1]) == (503, "service-away")
    assert int(response.headers["Retry-After"]) > 0


def test_a_refused_photo_that_cannot_be_deleted_now_is_refused_all_the_same(http, rpc, objects, monkeypatch):
    def away(_ref):
        raise ObjectsAway("ConnectError")

    monkeypatch.setattr(objects, "delete", away)
    rpc.answers["registration.attach_photo"] = refusal("StepOutOfOrder")

    response = http.put(f"{PATH}/photos/portrait", data=b"x", content_type="image/jpeg", headers=HELD)

    assert read(response)["status"] == 409


def test_a_refused_photo_is_not_kept(http, rpc, objects):
    rpc.answers["registration.attach_photo"] = refusal("StepOutOfOrder")

    http.put(f"{PATH}/photos/portrait", data=b"x", content_type="image/jpeg", headers=HELD)

    assert [p for p in objects.store.root.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("key", ["short", "with space in it", "x" * 129])
def test_an_idempotency_key_must_look_like_one(http, rpc, key):
    response = http.post(f"{PATH}/submission", json={}, headers={**HELD, "Idempotency-Key": key})

    assert read(response)["status"] == 400
    assert rpc.calls == []


def test_the_access_log_tells_the_route_and_no_value(http, rpc, capfd):
    rpc.answers["registration.agencies"] = {"items": []}
    http.get("/v1/agencies?q=canary-word")
    http.get(PATH, headers={"Registration-Token": "canary-word", "X-Forwarded-For": "canary-word"})
    rpc.answers["registration.get"] = refusal("StepOutOfOrder")
    http.get(PATH, headers=HELD)

    logged = "".join(capfd.readouterr())
    assert "canary-word" not in logged
    assert ID not in logged


def test_every_own_problem_has_its_sentence():
    assert set(DETAILS) <= set(KINDS)
