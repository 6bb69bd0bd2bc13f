"""An account that is handed over at the counter, with a slip: on the fake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.identity import jobs, refusals, use_cases
from services.identity.delivery import Way
from services.identity.tests.unit import samples
from services.identity.tests.unit.house import CODE, House
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.test_contact import ask
from services.identity.tests.unit.test_contact import finish as finish_change


@pytest.mark.proves("G12")
@pytest.mark.parametrize("waiting", ["nothing", "sms", "link"])
def test_a_slip_takes_the_place_of_whatever_waits_and_of_what_is_still_to_be_made(
    house: House, waiting: str
) -> None:
    own = samples.active(house.account.id)
    house.storage.add_credential(own, str(uuid4()), NOW - timedelta(days=1))
    if waiting == "sms":
        house.hear(house.sms(), "failed")
    elif waiting == "link":
        house.lost()
    slip = house.hand_over()
    assert house.live() == {own.id, slip.id}
    assert house.storage.delivery(slip.id) == "delivered"
    assert (slip.valid_until, slip.channel) == (NOW + timedelta(hours=72), Way.COUNTER)
    if waiting != "link":
        house.sms()
        assert house.live() == {own.id, slip.id}, "an SMS that was due was made all the same"
    assert house.followed()[-1] == "handed_over"
    assert [entry.action for entry in house.storage.audit].count("account_handed_over") == 1
    (notice,) = house.storage.tx.events("account.notice_due.v1")
    assert {channel["kind"] for channel in notice.data["channels"]} == {"sms", "email"}


def test_a_failure_told_after_the_slip_is_followed_by_nothing(house: House) -> None:
    first = house.sms()
    slip = house.hand_over()
    house.hear(first, "failed")
    assert house.live() == {slip.id}
    assert house.followed() == ["handed_over"]


def test_another_slip_makes_the_one_before_void(house: House) -> None:
    first, second = house.hand_over(), house.hand_over()
    assert first.id != second.id
    assert house.live() == {second.id}


def test_a_slip_needs_papers_the_own_agency_and_a_verified_case(house: House) -> None:
    elsewhere = replace(OFFICER, agency_code="00202")
    for changes, refusal in (
        ({"papers_checked": "yes"}, refusals.PapersNotChecked),
        ({"officer": elsewhere}, refusals.CaseUnknown),
        ({"case_id": uuid4()}, refusals.CaseUnknown),
    ):
        with pytest.raises(refusal):
            house.hand_over(**changes)
    data = samples.submitted(samples.applicant(code="0999999999", document_number="001190000009"))
    use_cases.open_case(house.storage, data, case_id=uuid4(), at=NOW)
    waiting = house.storage.case_of(data["registration_id"])
    assert waiting is not None
    with pytest.raises(refusals.NotYetVerified):
        house.hand_over(case_id=waiting.id)
    assert house.live() == set()


def test_where_nobody_is_reached_any_more_there_is_neither_link_nor_slip(house: House) -> None:
    for _ in range(2):
        house.hear(house.sms(), "failed")
    house.storage.accounts[house.account.id] = replace(house.account, phone="", email="")
    (due,) = house.storage.tx.due("issue_activation_link")
    jobs.issue(house.parts, due, Way.LINK)(house.storage.tx)  # type: ignore[arg-type]
    with pytest.raises(refusals.AccountUnknown):
        house.hand_over()
    assert house.live() == set()


def test_no_slip_opens_an_account_whose_holder_has_chosen_a_password_since(house: House) -> None:
    _, secret = house.lost()
    assert house.activates(secret)
    before = house.live()
    with pytest.raises(refusals.PasswordReceived):
        house.hand_over()
    assert house.live() == before


def test_a_slip_opens_what_has_ended_since_but_no_account_that_was_closed(house: House) -> None:
    _, secret = house.lost()
    assert house.activates(secret)
    finish_change(house.storage, ask(house.storage))
    assert house.live() == set(), "what came through a mailbox is not for whoever has the next one"
    with pytest.raises(refusals.PasswordReceived):
        house.hand_over()
    house.sms()
    assert {house.hand_over().id} == house.live()


def test_no_slip_until_the_account_has_the_contact_that_the_desk_saw(house: House) -> None:
    (person,) = house.storage.people_with([CODE])
    seen = replace(person.applicant, phone="+84900000777")
    house.storage.save_person(replace(person, applicant=seen))
    with pytest.raises(refusals.NotYetVerified):
        house.hand_over()
    assert house.live() == set()
