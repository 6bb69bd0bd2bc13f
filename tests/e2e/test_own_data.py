"""Only the participant sees the own data; only the agency's officer sees its cases."""

from __future__ import annotations

import pytest

from deploy.demo.journey import compare
from deploy.demo.world import add_officer
from shared.testing.client import ProblemSeen
from shared.testing.processes import until


def with_account(client, citizen, officer, inbox):
    """A citizen who is logged in with a password of the own."""
    accepted = client.register(citizen, inbox.wait_for_otp)
    officer.confirm(officer.find(accepted.declaration_number)["id"])
    password = inbox.wait_for_password(citizen.phone)
    client.log_in(citizen.code, password)
    client.change_password(citizen.code, password, "mật khẩu của riêng tôi")
    return accepted


@pytest.mark.proves("F17")
@pytest.mark.proves("G14")
def test_citizen_a_sees_nothing_of_b(new_client, new_citizen, officer, inbox):
    a, b = new_client(), new_client()
    citizen_a, citizen_b = new_citizen(insured=True), new_citizen(insured=True)
    with_account(a, citizen_a, officer, inbox)
    with_account(b, citizen_b, officer, inbox)

    compare(a.participation(), citizen_a)
    compare(b.participation(), citizen_b)
    assert a.me()["code"] == citizen_a.code

    for path in ("", "/timeline"):
        with pytest.raises(ProblemSeen) as refused:
            a.ask("GET", b.draft.path + path, headers=a.draft.headers)
        assert refused.value.status == 404
    for path in ("/v1/staff/cases", f"/v1/staff/cases/{b.draft.registration_id}"):
        with pytest.raises(ProblemSeen) as refused:
            a.ask("GET", path)
        assert refused.value.status == 401


@pytest.mark.proves("F17")
@pytest.mark.proves("G14")
def test_a_session_that_was_ended_looks_up_nothing_any_more(new_client, new_citizen, officer, inbox):
    """By a change of the password, from another device."""
    citizen, phone, tablet = new_citizen(insured=True), new_client(), new_client()
    with_account(phone, citizen, officer, inbox)
    tablet.log_in(citizen.code, "mật khẩu của riêng tôi")
    compare(tablet.participation(), citizen)

    phone.change_password(citizen.code, "mật khẩu của riêng tôi", "mật khẩu khác, không ai biết")

    until(lambda: is_shut_out(tablet), 5.0, "the ended session still looks up")
    with pytest.raises(ProblemSeen) as refused:
        tablet.me()
    assert refused.value.status == 401
    compare(phone.participation(), citizen)


def is_shut_out(client):
    try:
        client.participation()
    except ProblemSeen as refused:
        return refused.status == 401
    return False


@pytest.mark.proves("F17")
@pytest.mark.proves("G14")
@pytest.mark.parametrize("token", ["garbage", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
def test_without_a_good_token_nothing_is_looked_up(new_client, token):
    client = new_client()
    client.headers["Authorization"] = f"Bearer {token}"

    for path in ("/v1/me", "/v1/me/participation", "/v1/staff/cases"):
        with pytest.raises(ProblemSeen) as refused:
            client.ask("GET", path)
        assert refused.value.status == 401


@pytest.mark.proves("F17")
@pytest.mark.proves("G14")
def test_a_wrong_password_and_an_unknown_user_look_the_same(client, new_client, new_citizen, officer, inbox):
    citizen = new_citizen()
    with_account(client, citizen, officer, inbox)
    answers = []
    for user in (citizen.code, new_citizen().code):
        with pytest.raises(ProblemSeen) as refused:
            new_client().log_in(user, "not the password")
        problem = refused.value.problem
        answers.append((problem["status"], problem["type"], problem["detail"]))

    assert answers[0] == answers[1]
    assert answers[0][0] == 401


@pytest.mark.proves("F17")
def test_an_officer_sees_the_cases_of_the_own_agency_only(
    client, new_citizen, officer, inbox, product, gateway, seed
):
    accepted = client.register(new_citizen(), inbox.wait_for_otp)
    case = officer.find(accepted.declaration_number)
    elsewhere = add_officer(product, gateway, f"e2e-other-{seed}", "S002")

    assert list(elsewhere.cases(q=accepted.declaration_number)) == []
    for act in (elsewhere.case, elsewhere.confirm):
        with pytest.raises(ProblemSeen) as refused:
            act(case["id"])
        assert (refused.value.status, refused.value.name) == (404, "case-unknown")
