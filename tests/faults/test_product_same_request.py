"""F9 at the whole product: the same request for a code, submission and verification, fifty times at once."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import CONSENT_VERSION, CitizenClient, Draft, photo_of
from shared.testing.client import Session
from tests.faults.crowd import Crowd, new_seed

TIMES = 50

ACCOUNTS = "SELECT id FROM accounts WHERE code = %(code)s"
CREDENTIALS = "SELECT cause FROM credentials JOIN accounts a ON a.id = account_id WHERE a.code = %(code)s"
CASES = "SELECT id FROM cases WHERE applicant ->> 'code' = %(code)s"


def many_at_once(session: Session, path: str, body: Any, headers: Mapping[str, str]) -> list[Any]:
    """The different answers to one POST sent ``TIMES`` times at once: half of them repeat themselves under
    one idempotency key, half are impatient fingers, each with a key of its own."""
    one_key, start = str(uuid.uuid4()), threading.Barrier(TIMES)

    def post(number: int) -> str:
        key = one_key if number % 2 else str(uuid.uuid4())
        start.wait()
        answer = session.ask("POST", path, json=body, headers={**headers, "Idempotency-Key": key})
        return json.dumps(answer, sort_keys=True)

    with ThreadPoolExecutor(TIMES) as threads:
        return [json.loads(answer) for answer in set(threads.map(post, range(TIMES)))]


def the_same_code_request_sends_one(client: CitizenClient, draft: Draft) -> None:
    """The same request for a code, fifty times at once under one key, is one request."""
    headers = {**draft.headers, "Idempotency-Key": str(uuid.uuid4())}

    def ask(_: int) -> str:
        answer = client.ask("POST", f"{draft.path}/email-otp", headers=headers)
        return json.dumps(answer, sort_keys=True)

    with ThreadPoolExecutor(TIMES) as threads:
        assert len(set(threads.map(ask, range(TIMES)))) == 1


@pytest.mark.proves("F9")
def test_a_submission_and_a_verification_fifty_times_at_once_have_one_effect(product: Instance) -> None:
    crowd = Crowd(product, 1, new_seed())
    citizen, client = crowd.world.citizens[0], CitizenClient(crowd.gateway)
    draft = client.start()
    for kind in client.declare(citizen.declaration())["photos_needed"]:
        client.upload(kind, photo_of(citizen, kind))
    client.choose_agency(crowd.world.agency_of(citizen), citizen.email)
    the_same_code_request_sends_one(client, draft)
    client.confirm_otp(crowd.inbox.wait_for_otp(citizen.email))

    consent = {"consent_version": CONSENT_VERSION}
    (told,) = many_at_once(client, f"{draft.path}/submission", consent, draft.headers)
    crowd.accepted(citizen, told["id"], told["declaration_number"])

    officer = crowd.world.officers[crowd.world.agency_of(citizen)]
    case = officer.find(told["declaration_number"])
    papers = {"papers_checked": True}
    (decided,) = many_at_once(officer, f"/v1/staff/cases/{case['id']}/verification", papers, {})
    assert decided == {"id": case["id"], "status": "verified"}
    crowd.ledger.decided(told["id"], decided["status"])

    client.wait_for("completed")
    client.log_in(citizen.code, crowd.inbox.wait_for_password(citizen.phone))
    report = crowd.ledger.wait_until_final()
    assert report.is_clean, str(report)
    assert (report.sms_received, report.emails_received) == (1, 2)
    assert len(crowd.inbox.emails(citizen.email, "instructions")) == 1
    with psycopg.connect(product.endpoints()["databases"]["identity"]) as identity:  # type: ignore[index]
        counts = [
            len(identity.execute(sql, {"code": citizen.code}).fetchall())
            for sql in (CASES, ACCOUNTS, CREDENTIALS)
        ]
    assert counts == [1, 1, 1]
