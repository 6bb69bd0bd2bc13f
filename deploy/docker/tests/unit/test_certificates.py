"""The development CA: made once, made afresh in time, and never in the place of a site's own."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.docker.certificates import CA_DAYS, RENEWED_BEFORE_DAYS, SERVER_DAYS, SERVERS, Authority, write

NOW = datetime(2026, 1, 15, tzinfo=UTC)
NAMES = ("rabbitmq", "127.0.0.1")


@pytest.fixture
def made(tmp_path):
    """``made(now)``: what lies in the folder of secrets after a start at that time."""
    (tmp_path / "secrets").mkdir()

    def make(now=NOW):
        write(tmp_path / "authority", tmp_path / "secrets", now, 0o444)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    return make


def test_each_server_has_a_certificate_of_the_ca_and_a_key(made, tmp_path):
    files = made()

    authority = Authority.kept_in(tmp_path / "authority")
    assert files["tls_ca"] == authority.pem
    for server, names in SERVERS.items():
        assert authority.vouches_for(files[f"certificate_{server}"], names, NOW)
        assert "PRIVATE KEY" in files[f"private_key_{server}"]
    assert len(files) == 1 + 2 * len(SERVERS)


def test_what_lasts_stays(made):
    assert made() == made(NOW + timedelta(days=SERVER_DAYS - RENEWED_BEFORE_DAYS - 1))


def test_certificates_that_end_soon_are_made_afresh_by_the_same_ca(made):
    first, later = made(), made(NOW + timedelta(days=SERVER_DAYS - RENEWED_BEFORE_DAYS))

    assert {name for name in first if first[name] == later[name]} == {"tls_ca"}


def test_a_ca_that_ends_soon_is_made_afresh_with_all_it_signed(made):
    first, later = made(), made(NOW + timedelta(days=CA_DAYS - RENEWED_BEFORE_DAYS))

    assert not [name for name in first if first[name] == later[name]]


def test_a_sites_own_certificates_stay(made, tmp_path):
    first = made()
    own = Authority.made(NOW, "A site's own").pem
    (tmp_path / "secrets" / "tls_ca").write_text(own)

    assert made(NOW + timedelta(days=CA_DAYS)) == first | {"tls_ca": own}


def test_a_certificate_of_another_ca_or_for_other_names_is_not_vouched_for():
    authority = Authority.made(NOW)
    own, _ = authority.issued(NAMES, NOW)
    others, _ = Authority.made(NOW).issued(NAMES, NOW)

    assert authority.vouches_for(own, NAMES, NOW)
    assert not authority.vouches_for(own, ("redis",), NOW)
    assert not authority.vouches_for(others, NAMES, NOW)
