"""F17 and children: nobody but the guardian whom an officer has confirmed sees what is held of a child."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.demo.scenes import refusal
from deploy.native.instance import Instance
from shared.testing.citizen_client import Accepted, CitizenClient
from shared.testing.citizens import Citizen, as_child
from shared.testing.processes import until
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import instead

IDENTITY = f"{__package__}.planted_guardians:IdentityService"
HISTORY = f"{__package__}.planted_history:HistoryService"
OWN_PASSWORD = "mật khẩu của riêng tôi"
ENDED_SECONDS = 5.0
"""In this time after the end nobody looks the child up by it any more."""
HEARD_SECONDS = 2.0
"""In this time what identity says has long been heard by history."""


def guardian(crowd: Crowd, number: int) -> CitizenClient:
    """A verified citizen, logged in."""
    citizen, client = crowd.verify(number)
    first = crowd.inbox.wait_for_password(citizen.phone)
    client.log_in(citizen.code, first)
    client.change_password(citizen.code, first, OWN_PASSWORD)
    return client


def child_of(crowd: Crowd, number: int, parent: CitizenClient) -> tuple[CitizenClient, Accepted, Citizen]:
    """A child's application, at the desk."""
    child, draft = as_child(crowd.world.citizens[number]), CitizenClient(crowd.gateway)
    accepted = draft.register_child(child, parent, agency_code=crowd.world.agency_of(child))
    draft.wait_for("awaiting_visit")
    return draft, accepted, child


def confirmed_child(crowd: Crowd, number: int, parent: CitizenClient) -> str:
    """The id by which its guardian looks the child up, from when that works."""
    draft, accepted, child = child_of(crowd, number, parent)
    officer = crowd.world.officers[crowd.world.agency_of(child)]
    case = officer.find(accepted.declaration_number)
    told = refusal(lambda: officer.confirm(case["id"]))
    assert told == "guardianship-not-confirmed", "a child was confirmed without its guardianship"
    officer.confirm(case["id"], guardianship=True)
    draft.wait_for("completed")
    child_id = next(seen["id"] for seen in parent.children() if seen["code"] == child.code)
    until(lambda: sees(parent, child_id), 60, "the guardian does not see the child")
    return str(child_id)


def sees(client: CitizenClient, child_id: str) -> bool:
    """Whether the child's records are shown."""
    told = refusal(lambda: client.participation(child_id))
    assert told in (None, "child-unknown")
    return told is None


def only_its_guardian_sees_a_child(crowd: Crowd) -> None:
    """A stranger, and the guardian of another child, with the child's id in hand."""
    mother, neighbour, stranger = (guardian(crowd, number) for number in range(3))
    child = confirmed_child(crowd, 3, mother)
    neighbours = confirmed_child(crowd, 4, neighbour)
    assert not sees(stranger, child), "a stranger sees the child"
    assert not sees(neighbour, child), "the guardian of another child sees the child"
    assert not sees(mother, neighbours), "the guardian of another child sees the child"
    assert not sees(mother, str(uuid4()))
    assert stranger.children() == [], "a stranger is told whose child it is"
    assert [seen["id"] for seen in mother.children()] == [child], "children of others are listed"


def nobody_is_a_guardian_until_an_officer_says_so(crowd: Crowd) -> None:
    """Somebody registers the child of somebody else: nothing is shown, neither while the case waits nor
    after it was rejected."""
    mother, claimant = (guardian(crowd, number) for number in range(2))
    child_id = confirmed_child(crowd, 3, mother)
    draft, accepted, child = child_of(crowd, 3, claimant)
    ends = time.monotonic() + HEARD_SECONDS
    while time.monotonic() < ends:
        assert not sees(claimant, child_id), "who only says to be the guardian sees the child"
        time.sleep(0.2)
    assert claimant.children() == []
    officer = crowd.world.officers[crowd.world.agency_of(child)]
    officer.reject(officer.find(accepted.declaration_number)["id"], "Giấy khai sinh ghi người khác")
    draft.wait_for("rejected")
    assert not sees(claimant, child_id), "who was rejected as guardian sees the child"
    assert sees(mother, child_id)


def who_was_the_guardian_sees_no_more(crowd: Crowd) -> None:
    """With the child's id, and the child's password, in hand."""
    mother, father = (guardian(crowd, number) for number in range(2))
    child_id = confirmed_child(crowd, 3, mother)
    assert confirmed_child(crowd, 3, father) == child_id
    child = as_child(crowd.world.citizens[3])
    first = crowd.inbox.wait_for_password(crowd.world.citizens[0].phone, number=3)
    childs = CitizenClient(crowd.gateway)
    childs.log_in(child.code, first)
    childs.change_password(child.code, first, OWN_PASSWORD)
    officer = crowd.world.officers[crowd.world.agency_of(child)]
    case = next(officer.cases("verified", child.code))  # the oldest is hers
    officer.end_guardianship(case["id"], "custody_changed")
    ends = time.monotonic() + ENDED_SECONDS
    while sees(mother, child_id):
        assert time.monotonic() < ends, "who was the guardian sees the child still"
        time.sleep(0.2)
    assert mother.children() == []
    told = refusal(lambda: CitizenClient(crowd.gateway).log_in(child.code, OWN_PASSWORD))
    assert told == "log-in-failed", "who was the guardian logs in as the child"
    assert sees(father, child_id)


@pytest.fixture
def crowd(product: Instance) -> Crowd:
    return Crowd(product, 5, new_seed())


@pytest.mark.proves("F17")
@pytest.mark.parametrize(
    "part",
    [
        only_its_guardian_sees_a_child,
        nobody_is_a_guardian_until_an_officer_says_so,
        who_was_the_guardian_sees_no_more,
    ],
)
def test_a_child_is_seen_by_the_guardian_whom_an_officer_has_confirmed_and_by_nobody_else(
    crowd: Crowd, part: Callable[[Crowd], None]
) -> None:
    part(crowd)


@pytest.mark.planted("F17")
@pytest.mark.parametrize(
    ("target", "defect", "part", "seen"),
    [
        (HISTORY, "anybody", only_its_guardian_sees_a_child, "a stranger sees the child"),
        (HISTORY, "any guardian", only_its_guardian_sees_a_child, "the guardian of another child sees"),
        (IDENTITY, "everybody's children", only_its_guardian_sees_a_child, "a stranger is told whose"),
        (IDENTITY, "without the certificate", only_its_guardian_sees_a_child, "without its guardianship"),
        (
            IDENTITY,
            "whoever registers the child",
            nobody_is_a_guardian_until_an_officer_says_so,
            "who only says to be the guardian",
        ),
        (HISTORY, "ended still looks up", who_was_the_guardian_sees_no_more, "the child still"),
        (IDENTITY, "an ending that nobody hears", who_was_the_guardian_sees_no_more, "sees the child still"),
        (
            IDENTITY,
            "an ending that changes no password",
            who_was_the_guardian_sees_no_more,
            "logs in as the child",
        ),
    ],
)
def test_a_missing_check_between_a_child_and_others_is_seen(
    product: Instance,
    crowd: Crowd,
    tmp_path: Path,
    target: str,
    defect: str,
    part: Callable[[Crowd], None],
    seen: str,
) -> None:
    with (
        instead(product, target, tmp_path, PLANTED=defect),
        pytest.raises(AssertionError, match=seen),
    ):
        part(crowd)
