"""The gateway itself, as it runs: its document, its limits, its traces."""

from __future__ import annotations

import httpx


def test_the_openapi_document_is_served(gateway):
    document = httpx.get(f"{gateway}/openapi.json").json()

    assert document["openapi"] == "3.1.0"
    assert "/v1/registrations/{registration_id}/submission" in document["paths"]


def test_the_gateway_is_alive_ready_and_measured(product, gateway):
    ops = product.endpoints()["ops"]["gateway"]

    assert httpx.get(f"{ops}/healthz").status_code == 200
    assert httpx.get(f"{ops}/readyz").status_code == 200
    httpx.get(f"{gateway}/v1/agencies")
    assert 'route="/v1/agencies"' in httpx.get(f"{ops}/metrics").text


def test_a_trace_of_the_caller_is_kept_in_the_answer(gateway):
    trace = "0af7651916cd43dd8448eb211c80319c"

    answer = httpx.get(f"{gateway}/nowhere", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})

    assert answer.json()["trace_id"] == trace
    assert answer.headers["X-Request-Id"] == trace


def test_the_same_start_twice_by_key_is_one_registration(gateway):
    headers = {"Idempotency-Key": "0192f6a0-0000-7000-8000-00000000abcd-" + httpx.__version__}
    first, again = (
        httpx.post(f"{gateway}/v1/registrations", json={}, headers=headers).json() for _ in range(2)
    )
    other = httpx.post(f"{gateway}/v1/registrations", json={}).json()

    assert first == again
    assert other["id"] != first["id"]


def test_a_body_without_end_is_cut_off(gateway):
    def chunks():
        for _ in range(200):
            yield b"x" * 1024

    answer = httpx.post(
        f"{gateway}/v1/sessions", content=chunks(), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413
