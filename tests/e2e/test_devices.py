"""Devices over HTTP: staying logged in, ending one, a refresh token that was stolen."""

from __future__ import annotations

import pytest

from deploy.demo.journey import compare
from shared.testing.client import ProblemSeen
from shared.testing.processes import until
from tests.e2e.test_once_for_life import OWN_PASSWORD, verified
from tests.e2e.test_own_data import is_shut_out
from tests.operations.vssid import vssid


@pytest.fixture
def citizen(client, new_citizen, officer, inbox):
    """Somebody who is logged in, with a password of the own."""
    citizen = new_citizen(insured=True)
    verified(client, citizen, officer, inbox)
    return citizen


@pytest.mark.proves("G14")
def test_a_stolen_refresh_token_ends_its_session_for_both(client, citizen, new_client, inbox):
    thief, other = new_client(), new_client()
    other.log_in(citizen.code, OWN_PASSWORD)
    thief.refresh_token = client.refresh_token
    client.refresh()
    client.refresh()
    compare(client.participation(), citizen)

    with pytest.raises(ProblemSeen) as refused:
        thief.refresh()
    assert (refused.value.status, refused.value.name) == (401, "token-invalid")

    until(lambda: is_shut_out(client), 5.0, "the session in two hands still looks up")
    with pytest.raises(ProblemSeen):
        client.refresh()
    other.refresh()
    compare(other.participation(), citizen)
    inbox.wait_for_emails(citizen.email, "session_copied")


@pytest.mark.proves("G14")
def test_a_lost_device_is_shut_out_by_every_service_and_the_others_go_on(client, citizen, new_client):
    lost = new_client()
    lost.log_in(citizen.code, OWN_PASSWORD)
    compare(lost.participation(), citizen)
    (found,) = [device for device in client.devices() if not device["current"]]

    client.end_device(found["id"])

    until(lambda: is_shut_out(lost), 5.0, "the lost device still looks up")
    for act in (lost.me, lost.refresh):
        with pytest.raises(ProblemSeen) as refused:
            act()
        assert refused.value.status == 401
    assert client.me()["code"] == citizen.code
    client.refresh()
    compare(client.participation(), citizen)
    assert [device["current"] for device in client.devices()] == [True]


def test_the_same_device_is_known_again_and_logs_out(client, citizen, new_client):
    before, other = client.devices(), new_client()
    client.log_in(citizen.code, OWN_PASSWORD)
    assert [device["id"] for device in client.devices()] == [device["id"] for device in before]
    other.log_in(citizen.code, OWN_PASSWORD)
    client.log_out()
    assert [device["current"] for device in other.devices()] == [True], (
        "the one that logged out is not listed"
    )
    for act in (client.me, client.refresh):
        with pytest.raises(ProblemSeen) as refused:
            act()
        assert refused.value.status == 401


def test_everywhere_is_everywhere(client, citizen, new_client):
    other = new_client()
    other.log_in(citizen.code, OWN_PASSWORD)
    other.end_device()
    for anybody in (client, other):
        until(lambda one=anybody: is_shut_out(one), 5.0, "a device still looks up")
        with pytest.raises(ProblemSeen):
            anybody.refresh()


def test_an_operator_logs_an_account_out_everywhere(client, citizen, product):
    done = vssid(product, "accounts", "log-out", answer=f"{' '.join(citizen.code)}\n")
    assert done.returncode == 0, done.stderr
    until(lambda: is_shut_out(client), 5.0, "the device still looks up")
    with pytest.raises(ProblemSeen):
        client.refresh()
    client.log_in(citizen.code, OWN_PASSWORD)
    written = (product.run / "audit.jsonl").read_text()
    assert "account_logged_out" in written
    assert citizen.code not in written
    nobody = vssid(product, "accounts", "log-out", answer="0000000000\n")
    assert (nobody.returncode, "no account has this code" in nobody.stderr) == (1, True)
