"""F11: the population register is down, then slow: registrations go on with photos and are checked later.

An hour in a minute: an unanswered check is made again after a second instead of after a minute.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient
from shared.testing.citizens import Citizen
from shared.testing.processes import until
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import asked_of_register, instead, register

PLANTED = f"{__package__}.planted_register:IdentityService"
AWAY_SECONDS = float(os.environ.get("REGISTER_AWAY_SECONDS", "5"))
QUICK = {"REGISTER_RETRY_SECONDS": "1", "REGISTER_OPEN_SECONDS": "1"}
CHECKED_WITHIN_SECONDS = 60.0


def registrations_go_on(product: Instance, crowd: Crowd) -> None:
    known, stranger = people_of(crowd)
    with register(product, outage=True):
        clients = {citizen: accepted_with_photos(crowd, citizen) for citizen in (known, stranger)}
        ends_at = time.monotonic() + AWAY_SECONDS
        assert {found(crowd, citizen, client)["register_outcome"] for citizen, client in clients.items()} == {
            "unavailable"
        }
        time.sleep(max(0.0, ends_at - time.monotonic()))
    with register(product, hang=True):
        late = CitizenClient(crowd.gateway)
        late.start()
        assert late.declare(crowd.world.citizens[-1].declaration())["register_check"] == "photos_needed"
    for citizen, outcome in ((known, "matched"), (stranger, "not_found")):
        until(
            lambda citizen=citizen, outcome=outcome: (
                found(crowd, citizen, clients[citizen])["register_outcome"] == outcome
            ),
            CHECKED_WITHIN_SECONDS,
            f"the check was not made again: {outcome}",
        )
        each_question_is_written_down(product, clients[citizen], citizen, outcome)
    until(
        lambda: clients[known].view()["register_check"] == "matched",
        CHECKED_WITHIN_SECONDS,
        "the citizen was not told",
    )
    steps = [entry["step"] for entry in clients[known].timeline()["entries"]]
    assert steps.count("register_checked") == 1
    for citizen in (known, stranger):
        officer = crowd.world.officers[crowd.world.agency_of(citizen)]
        told = officer.confirm(found(crowd, citizen, clients[citizen])["id"])
        crowd.ledger.decided(registration_of(clients[citizen]), told["status"])
    report = crowd.ledger.wait_until_final()
    assert report.is_clean, str(report)


def people_of(crowd: Crowd) -> tuple[Citizen, Citizen]:
    """One whom the register knows, one whom it does not."""
    strangers = crowd.world.strangers
    known = next(c for c in crowd.world.citizens if c.code not in strangers)
    return known, next(c for c in crowd.world.citizens if c.code in strangers)


def accepted_with_photos(crowd: Crowd, citizen: Citizen) -> CitizenClient:
    """Registered while the register is away: with both sides of the ID document."""
    client = CitizenClient(crowd.gateway)
    told = client.register(citizen, crowd.inbox.wait_for_otp, crowd.world.agency_of(citizen))
    assert told.photos_uploaded == ["portrait", "id_front", "id_back"], "nobody was asked for photos"
    crowd.accepted(citizen, told.registration_id, told.declaration_number)
    return client


def found(crowd: Crowd, citizen: Citizen, client: CitizenClient) -> dict[str, Any]:
    """The case as the officer sees it."""
    officer = crowd.world.officers[crowd.world.agency_of(citizen)]
    return officer.find(client.view()["declaration_number"])


def registration_of(client: CitizenClient) -> str:
    assert client.draft is not None
    return client.draft.registration_id


def each_question_is_written_down(
    product: Instance, client: CitizenClient, citizen: Citizen, outcome: str
) -> None:
    """With its id, what for, and who asked: what we wrote down and what the register heard agree."""
    databases = product.endpoints()["databases"]
    assert isinstance(databases, dict)
    sql = """
        SELECT request_id, purpose, asker, outcome FROM register_checks WHERE registration_id = %s ORDER BY id
    """
    with psycopg.connect(databases["identity"]) as connection:
        rows = connection.execute(sql, [registration_of(client)]).fetchall()
    assert rows[0][1:] == ("registration", "registration", "unavailable")
    assert {row[1:3] for row in rows[1:]} == {("late_check", "identity.check_register")}
    assert rows[-1][3] == outcome
    heard = {row["asked"]["requestId"] for row in asked_of_register(product, citizen.personal_number)}
    assert heard <= {str(row[0]) for row in rows}, "a question was not written down"


@pytest.fixture
def crowd(product: Instance) -> Crowd:
    return Crowd(product, 4, new_seed())


@pytest.mark.proves("F11")
def test_while_the_register_is_away_registrations_go_on_and_are_checked_later(
    product: Instance, crowd: Crowd, tmp_path: Path
) -> None:
    with instead(product, "identity", tmp_path, **QUICK):
        registrations_go_on(product, crowd)


@pytest.mark.planted("F11")
def test_a_check_that_is_not_made_again_is_seen(
    product: Instance, crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.CHECKED_WITHIN_SECONDS", 10.0)
    with (
        instead(product, PLANTED, tmp_path, **QUICK),
        pytest.raises(AssertionError, match="the check was not made again"),
    ):
        registrations_go_on(product, crowd)


@pytest.mark.planted("F11")
def test_a_silence_that_is_taken_for_a_match_is_seen(product: Instance, crowd: Crowd, tmp_path: Path) -> None:
    target = f"{__package__}.planted_registration:RegistrationService"
    with (
        instead(product, target, tmp_path, PLANTED="a silence is a match"),
        pytest.raises(AssertionError, match="nobody was asked for photos"),
    ):
        registrations_go_on(product, crowd)
