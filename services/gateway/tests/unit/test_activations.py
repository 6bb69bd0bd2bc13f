"""The routes of a password that is chosen by a link, or handed over at the counter."""

from __future__ import annotations

import base64

import pytest

from services.gateway.tests.unit.test_routes import ID

BODY = {"link": "a-secret", "code": "0123456789", "new_password": "một con vịt"}


def test_link_code_and_password_travel_sealed_to_identity(http, rpc, keys):
    rpc.answers["identity.activate"] = {}
    response = http.post("/v1/activations", json=BODY)
    assert (response.status_code, response.data) == (204, b"")
    kwargs = rpc.last.kwargs
    identity = keys.sealer("identity")
    assert identity.open(kwargs["sealed_link"]) == "a-secret"
    assert identity.open(kwargs["sealed_code"]) == "0123456789"
    assert identity.open(kwargs["sealed_new_password"]) == "một con vịt"
    assert set(kwargs) == {"sealed_link", "sealed_code", "sealed_new_password"}, "the address does not count"
    assert not any(secret in repr(kwargs) for secret in BODY.values())


def test_each_field_that_is_missing_is_named(http):
    sent = http.post("/v1/activations", json={})
    assert sorted(error["field"] for error in sent.json["errors"]) == sorted(BODY)


@pytest.mark.proves("G15")
def test_opening_a_link_changes_nothing_and_its_page_masks_the_password(http, rpc):
    page = http.get("/activation")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert 'name="new_password" type="password"' in page.text
    script = http.get("/activation.js")
    assert (script.status_code, script.mimetype) == (200, "text/javascript")
    for response in (page, script):
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
    assert http.get("/v1/activations").status_code == 405
    assert rpc.calls == []


def test_before_its_script_has_come_the_page_sends_nothing_and_nothing_into_a_url(http):
    page = http.get("/activation")
    policy = [part.strip() for part in page.headers["Content-Security-Policy"].split(";")]
    assert {"form-action 'none'", "base-uri 'none'"} <= set(policy)
    assert '<form id="form" method="post">' in page.text
    assert "<button disabled>" in page.text
    script = http.get("/activation.js").text
    assert "button.disabled = !link;" in script, "without a link there is nothing to send"
    assert "Xin mở lại liên kết trong e-mail. (Please open the link in the e-mail again.)" in script


def test_without_scripts_the_page_says_in_both_languages_what_else_there_is(http):
    page = http.get("/activation").text
    said = page[page.index("<noscript>") : page.index("</noscript>")]
    for words in ("tại quầy", "at the counter", "JavaScript", "1900 9068"):
        assert words in said
    assert said.count("1900 9068") == 2


def test_a_slip_is_opened_here_alone_and_kept_nowhere(http, rpc, keys):
    content = b"%PDF-1.4 ..."
    sealed = keys.sealer("identity").seal("gateway", base64.b64encode(content).decode())
    rpc.answers["identity.hand_over"] = {"number": "TK-1", "sealed_slip": sealed, "valid_until": "…"}
    response = http.post(
        f"/v1/staff/cases/{ID}/handover",
        json={"papers_checked": True},
        headers={"Authorization": "Bearer token", "Idempotency-Key": "k" * 20},
    )
    assert (response.status_code, response.data, response.mimetype) == (200, content, "application/pdf")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Disposition"] == 'inline; filename="TK-1.pdf"'
    assert (rpc.last.kwargs["case_id"], rpc.last.kwargs["papers_checked"]) == (ID, True)
    assert rpc.last.idempotency_key
