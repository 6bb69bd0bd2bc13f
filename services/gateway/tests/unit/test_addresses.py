"""From whom a request comes, as far as limits go: the peer, or what the site's own proxies say of it."""

from __future__ import annotations

import pytest

from services.gateway.app import create
from services.gateway.rpc import Services
from services.gateway.settings import Settings
from shared.messaging.calls import CallTimeout
from shared.settings import SettingsInvalid, load

LOAD_BALANCER = "198.51.100.1"
FORGED = [
    "203.0.113.9",
    "203.0.113.9, 203.0.113.10",
    "unknown",
    ",",
    '"',
    '203.0.113.9, "',
    '203.0.113.9, "\\',
]


@pytest.fixture
def client(rpc, keys, objects):
    """``client(proxies, peer, forwarded)``: as what the services know the caller."""

    def client(proxies: int, peer: str, forwarded: str | None = None) -> dict[str, str]:
        rpc.answers["identity.log_in"] = CallTimeout("late")
        services = Services(rpc, keys.sealer("gateway"), deadline_seconds=5.0, address_key=b"test")
        http = create(services, objects, trusted_proxies=proxies).test_client()
        http.post(
            "/v1/sessions",
            json={"user": "0123456789", "password": "a password"},
            headers={} if forwarded is None else {"X-Forwarded-For": forwarded},
            environ_base={"REMOTE_ADDR": peer},
        )
        return rpc.last.kwargs["client"]

    return client


@pytest.fixture
def address(client):
    return lambda *asked: client(*asked)["address"]


@pytest.fixture
def network(client):
    return lambda peer: client(0, peer)["network"]


@pytest.mark.parametrize(
    ("one", "neighbour", "stranger"),
    [
        ("192.0.2.7", "192.0.2.200", "192.0.3.7"),
        ("::ffff:192.0.2.7", "192.0.2.200", "::ffff:192.0.3.7"),
        ("2001:db8:7:1::7", "2001:db8:7:2::8", "2001:db8:8:1::7"),
    ],
)
def test_neighbours_are_in_one_network(network, address, one, neighbour, stranger):
    assert network(one) == network(neighbour) != network(stranger)
    assert address(0, one) != address(0, neighbour)


@pytest.mark.parametrize("forged", ["192.0.2.7", "192.0.2.7, 192.0.2.8", "", "nonsense"])
def test_without_proxies_of_the_sites_own_the_header_is_not_believed(address, forged):
    assert address(0, LOAD_BALANCER, forged) == address(0, LOAD_BALANCER)


def test_behind_a_proxy_each_client_is_known_by_what_the_proxy_says(address):
    assert address(1, LOAD_BALANCER, "192.0.2.7") == address(0, "192.0.2.7")
    assert address(1, LOAD_BALANCER, "192.0.2.8") == address(0, "192.0.2.8") != address(0, "192.0.2.7")


@pytest.mark.parametrize("forged", FORGED)
def test_what_a_client_put_before_it_changes_nothing(address, forged):
    assert address(1, LOAD_BALANCER, f"{forged}, 192.0.2.7") == address(0, "192.0.2.7")


@pytest.mark.parametrize("forged", FORGED)
def test_with_two_proxies_the_word_of_the_outer_one_counts(address, forged):
    assert address(2, LOAD_BALANCER, f"{forged}, 192.0.2.7, 198.51.100.2") == address(0, "192.0.2.7")


def test_who_comes_past_the_proxies_is_known_by_the_own_address(address):
    assert address(1, "192.0.2.7") == address(0, "192.0.2.7")
    assert address(2, "192.0.2.7", "203.0.113.9") == address(0, "192.0.2.7")


def test_a_client_of_ipv6_is_its_network_of_64_bits(address):
    assert address(0, "2001:db8:0:1::7") == address(0, "2001:db8:0:1:ffff:ffff:ffff:ffff")
    assert address(0, "2001:db8:0:1::7") != address(0, "2001:db8:0:2::7")
    assert address(1, LOAD_BALANCER, "2001:db8:0:1::7") == address(0, "2001:DB8:0:1::8")


def test_an_address_of_ipv4_is_the_same_on_a_socket_of_both_kinds(address):
    assert address(0, "::ffff:192.0.2.7") == address(0, "192.0.2.7") != address(0, "::ffff:192.0.2.8")


def test_what_is_no_address_has_one_limit_and_not_one_for_each_spelling(address):
    assert address(1, LOAD_BALANCER, "unknown") == address(1, LOAD_BALANCER, "192.0.2.7:40001")


@pytest.mark.parametrize("wrong", ["-1", "all"])
def test_a_number_of_proxies_that_is_none_is_refused(wrong):
    with pytest.raises(SettingsInvalid, match=r"TRUSTED_PROXIES .*expected a whole number at least 0"):
        load(Settings, {"TRUSTED_PROXIES": wrong})
