"""The desk: one officer at a case, and a supplement that comes back to who asked for it."""

from __future__ import annotations

import os

import pytest

from deploy.demo.world import add_officer
from shared.testing.citizen_client import AGENCY_CODE, photo_of
from shared.testing.client import ProblemSeen
from shared.testing.processes import until


@pytest.fixture(scope="module")
def colleague(product, gateway, seed):
    """Another officer at the same desk."""
    return add_officer(product, gateway, f"e2e-colleague-{seed}-{os.getpid()}", AGENCY_CODE)


def refused(act, *arguments):
    with pytest.raises(ProblemSeen) as problem:
        act(*arguments)
    return problem.value.name


def test_a_supplement_goes_to_the_citizen_and_comes_back_to_the_officer_who_asked(
    client, new_citizen, officer, colleague, inbox
):
    citizen = new_citizen()
    accepted = client.register(citizen, inbox.wait_for_otp)
    case = officer.find(accepted.declaration_number)
    assert officer.claim(case["id"])["claimed_by"]["name"]
    (listed,) = colleague.cases(q=accepted.declaration_number)
    assert listed["claimed_by"] is not None
    for act in (colleague.claim, colleague.confirm):
        assert refused(act, case["id"]) == "case-claimed"

    question = "Ảnh bị lóa, nơi ở hiện nay là đâu?"
    asked = officer.request_supplement(case["id"], "portrait", "answer", note=question)
    assert asked["status"] == "supplement_requested"

    client.wait_for("supplement_requested")
    inbox.wait_for_emails(citizen.email, "supplement")
    assert client.view()["supplement"] == {"items": ["portrait", "answer"], "note": question, "photos": []}
    assert refused(client.send_supplement) == "step-out-of-order"
    before = officer.case(case["id"])["photos"]
    client.upload("portrait", photo_of(new_citizen(), "portrait"))
    client.send_supplement("Phường Ba Đình, Hà Nội")

    until(lambda: officer.case(case["id"])["stage"] == "waiting", 60, "the case was not resumed")
    back = officer.case(case["id"])
    assert back["supplement"]["answer"] == "Phường Ba Đình, Hà Nội"
    assert back["photos"] != before
    assert officer.photo(case["id"], "portrait").startswith(b"\xff\xd8\xff")
    assert refused(colleague.confirm, case["id"]) == "case-claimed"
    officer.confirm(case["id"])
    client.wait_for("completed")
