"""Children: registered by a parent, confirmed from the birth certificate, seen by nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from deploy.demo.journey import compare
from shared.testing.citizen_client import photo_of
from shared.testing.citizens import as_child
from shared.testing.client import ProblemSeen
from shared.testing.processes import until
from tests.e2e.test_once_for_life import OWN_PASSWORD, passwords, verified, wait_for_password

TIMES = 50


def refused(act, *arguments, **options):
    with pytest.raises(ProblemSeen) as problem:
        act(*arguments, **options)
    return problem.value.status, problem.value.name


def sees(client, child_id):
    """Whether the child's data can be looked up."""
    try:
        client.participation(child_id)
    except ProblemSeen as problem:
        if problem.name != "child-unknown":
            raise
        return False
    return True


@pytest.mark.proves("F17")
@pytest.mark.proves("G14")
def test_a_child_is_registered_by_a_parent_and_seen_by_child_and_parent_alone(
    new_client, new_citizen, officer, inbox
):
    mother, stranger, father = (new_citizen() for _ in range(3))
    child, other_child = as_child(new_citizen(insured=True)), as_child(new_citizen())
    verified(mothers := new_client(), mother, officer, inbox)
    verified(strangers := new_client(), stranger, officer, inbox)
    verified(fathers := new_client(), father, officer, inbox)

    assert refused(new_client().start_for_child, new_client()) == (401, "token-missing")
    accepted = (draft := new_client()).register_child(child, mothers)
    assert accepted.photos_uploaded == ["portrait", "birth_certificate"]
    fathers_draft = new_client()
    assert refused(fathers_draft.register_child, child, fathers) == (409, "code-taken")
    (strangers_draft := new_client()).register_child(other_child, strangers, "guardian")

    told = draft.wait_for("awaiting_visit")
    assert (told["next"]["step"], told["next"]["until"]) == ("wait", None)
    assert refused(strangers.ask, "GET", draft.draft.path, headers=strangers_draft.draft.headers)[0] == 404
    case = officer.case(officer.find(accepted.declaration_number)["id"])
    assert (case["guardian"]["full_name"], case["guardian"]["relation"]) == (mother.full_name, "parent")
    assert officer.photo(case["id"], "birth_certificate").startswith(b"\xff\xd8\xff")
    assert mothers.children() == []
    assert refused(officer.confirm, case["id"]) == (422, "guardianship-not-confirmed")

    officer.confirm(case["id"], guardianship=True)

    told = draft.wait_for("completed")
    assert ("verified", "guardianship") in [(e["step"], e.get("detail")) for e in told["entries"]]
    (seen,) = mothers.children()
    assert (seen["code"], seen["full_name"], seen["relation"]) == (child.code, child.full_name, "parent")
    until(lambda: sees(mothers, seen["id"]), 60, "history was not told of the guardianship")
    compare(mothers.participation(seen["id"]), child)
    assert (strangers.children(), strangers.data()["children"]) == ([], [])
    assert mothers.data()["children"] == [seen]
    for someone in (strangers, fathers):
        assert refused(someone.participation, seen["id"]) == (404, "child-unknown")
        assert refused(someone.participation, str(uuid4())) == (404, "child-unknown")

    first = wait_for_password(inbox, mother.phone, 2)
    childs = new_client()
    childs.log_in(child.code, first)
    childs.change_password(child.code, first, OWN_PASSWORD)
    compare(childs.participation(), child)
    assert refused(childs.ask, "POST", "/v1/me/children", json={"relation": "parent"}) == (
        403,
        "guardian-too-young",
    )

    other = officer.find(strangers_draft.view()["declaration_number"])
    officer.confirm(other["id"], guardianship=True)
    strangers_draft.wait_for("completed")
    (strangers_child,) = strangers.children()
    until(lambda: sees(strangers, strangers_child["id"]), 60, "history was not told of the guardianship")
    assert refused(strangers.participation, seen["id"]) == (404, "child-unknown")
    assert refused(mothers.participation, strangers_child["id"]) == (404, "child-unknown")


def endings(inbox, phone):
    """The SMS that tell a former guardian."""
    return [sms["text"] for sms in inbox.sms(phone) if "guardianship of a child ended" in sms["text"]]


def child_of(client, child, guardians, officer):
    """A child whose guardian an officer has confirmed: the id of the case, and the child as it is listed."""
    accepted = client.register_child(child, guardians)
    client.wait_for("awaiting_visit")
    case = officer.find(accepted.declaration_number)["id"]
    officer.confirm(case, guardianship=True)
    client.wait_for("completed")
    seen = next(one for one in guardians.children() if one["code"] == child.code)
    until(lambda: sees(guardians, seen["id"]), 60, "history was not told of the guardianship")
    return case, seen


@pytest.mark.proves("F17")
@pytest.mark.proves("G14")
def test_a_guardianship_that_an_officer_ends_opens_nothing_any_more_and_the_child_is_reached_at_the_other(
    new_client, new_citizen, officer, inbox
):
    mother, father = new_citizen(), new_citizen()
    child = as_child(new_citizen(insured=True))
    verified(mothers := new_client(), mother, officer, inbox)
    verified(fathers := new_client(), father, officer, inbox)
    case, seen = child_of(new_client(), child, mothers, officer)
    first = wait_for_password(inbox, mother.phone, 2)
    childs = new_client()
    childs.log_in(child.code, first)
    childs.change_password(child.code, first, OWN_PASSWORD)

    child_of(new_client(), child, fathers, officer)
    wait_for_password(inbox, mother.phone, 3)
    assert len(passwords(inbox, father.phone)) == 1, "a second guardian is not sent what the first one is"

    assert refused(officer.end_guardianship, case, "moved") == (422, "request-invalid")
    key = str(uuid4())
    told = officer.end_guardianship(case, "custody_changed", "Bản án số 12/2026", key=key)
    assert told["status"] == "ended"
    until(lambda: not sees(mothers, seen["id"]), 5, "who was the guardian still sees the child")
    assert officer.end_guardianship(case, "custody_changed", "Bản án số 12/2026", key=key) == told
    assert refused(officer.end_guardianship, case, "came_of_age", key=key) == (409, "idempotency-key-reused")

    (ended,) = mothers.ended_guardianships()
    assert mothers.children() == []
    assert (ended["id"], ended["reason"]) == (seen["id"], "custody_changed")
    assert mothers.data()["ended_guardianships"] == [ended]
    assert fathers.children() == [{**seen, "confirmed_at": fathers.children()[0]["confirmed_at"]}]
    assert sees(fathers, seen["id"])
    (email,) = inbox.wait_for_emails(mother.email, "guardianship_ended")
    until(lambda: len(endings(inbox, mother.phone)) == 1, 60, "who was the guardian was not told by SMS")
    assert not [text for text in (child.code, child.full_name) if text in email["text"]]
    assert endings(inbox, father.phone) == inbox.emails(father.email, "guardianship_ended") == []

    assert refused(childs.participation) == (401, "token-invalid")
    assert refused(new_client().log_in, child.code, OWN_PASSWORD) == (401, "log-in-failed")
    another = wait_for_password(inbox, father.phone, 2)
    assert new_client().log_in(child.code, another)["must_change_password"]
    assert len(passwords(inbox, mother.phone)) == 3


@pytest.mark.proves("F9")
def test_the_same_start_of_a_childs_registration_again_is_the_same_draft(
    new_client, new_citizen, officer, inbox
):
    verified(parents := new_client(), new_citizen(), officer, inbox)

    def start(key, relation="parent"):
        headers = {"Idempotency-Key": key}
        return parents.ask("POST", "/v1/me/children", json={"relation": relation}, headers=headers)

    key, another_key = str(uuid4()), str(uuid4())
    with ThreadPoolExecutor(TIMES) as threads:
        drafts = list(threads.map(start, [key] * TIMES))
    assert drafts == [drafts[0]] * TIMES
    assert start(another_key)["id"] != drafts[0]["id"]
    assert refused(start, key, "guardian") == (409, "idempotency-key-reused")
    held = {"Registration-Token": drafts[0]["resume_token"]}
    assert parents.ask("GET", f"/v1/registrations/{drafts[0]['id']}", headers=held)["status"] == "draft"


def test_a_guardianship_that_the_certificate_does_not_show_is_refused_and_the_code_is_free(
    new_client, new_citizen, officer, inbox
):
    parent, stranger = new_citizen(), new_citizen()
    child = as_child(new_citizen())
    verified(parents := new_client(), parent, officer, inbox)
    verified(strangers := new_client(), stranger, officer, inbox)
    accepted = (wrong := new_client()).register_child(child, strangers)

    case = officer.find(accepted.declaration_number)
    officer.request_supplement(case["id"], "birth_certificate", note="Ảnh giấy khai sinh bị lóa")
    wrong.wait_for("supplement_requested")
    wrong.upload("birth_certificate", photo_of(child, "birth_certificate"))
    wrong.send_supplement()
    until(lambda: officer.case(case["id"])["stage"] == "waiting", 60, "the case was not resumed")
    assert officer.photo(case["id"], "birth_certificate").startswith(b"\xff\xd8\xff")
    officer.reject(case["id"], "Giấy khai sinh ghi người giám hộ khác")

    wrong.wait_for("rejected")
    assert strangers.children() == []
    new_client().register_child(child, parents)


def test_what_was_declared_for_a_child_is_erased_through_its_guardian_and_with_the_guardians_own_data(
    new_client, new_citizen, officer, inbox
):
    parent, child, other = new_citizen(), as_child(new_citizen()), as_child(new_citizen())
    verified(parents := new_client(), parent, officer, inbox)
    verified(strangers := new_client(), new_citizen(), officer, inbox)
    (wrong := new_client()).register_child(child, parents)
    rejected = officer.find(wrong.wait_for("awaiting_visit") and wrong.view()["declaration_number"])["id"]
    officer.reject(rejected, "Giấy khai sinh bị mờ")
    wrong.wait_for("rejected")
    case, seen = child_of(new_client(), child, parents, officer)
    path = f"/v1/me/children/{seen['id']}/erasures"

    assert refused(strangers.ask, "POST", path) == (404, "child-unknown")
    assert parents.ask("POST", path)["state"] == "open"
    (answer,) = inbox.wait_for_emails(parent.email, "request_answered")
    assert "confirmed guardianships" in answer["text"]
    assert officer.case(rejected)["full_name"] == ""
    assert officer.case(case)["full_name"] == child.full_name
    assert sees(parents, seen["id"]), "insurance records stay"

    (begun := new_client()).start_for_child(parents)
    begun.declare({k: v for k, v in other.declaration().items() if k not in ("document", "phone")})
    (foreign := new_client()).start_for_child(strangers)
    parents.ask("POST", "/v1/me/erasures")
    until(lambda: begun.view()["status"] == "cancelled", 60, "the draft for a child was not erased")
    assert begun.view()["declaration"] is None
    assert foreign.view()["status"] == "draft"
