import base64
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from deploy.docker import secrets
from deploy.native.layout import ROOT
from services.identity.devices import TOKENS_LIVE

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
S3 = yaml.safe_load((ROOT / "docker-compose.s3.yml").read_text())
TLS = yaml.safe_load((ROOT / "docker-compose.tls.yml").read_text())
SCHEMES = {"amqp": "amqps", "http": "https", "redis": "rediss"}


def files(folder):
    return {file.name: (file.stat().st_ino, file.read_text()) for file in (folder / "secrets").iterdir()}


def wanted(*compose):
    return {secret["file"].rpartition("/")[2] for file in compose for secret in file["secrets"].values()}


def test_every_secret_of_the_compose_file_is_made(tmp_path):
    secrets.write(tmp_path)

    assert set(files(tmp_path)) == wanted(COMPOSE, S3)


def test_with_tls_certificates_are_made_too_and_stay(tmp_path):
    secrets.take(tmp_path, "tls")
    first = files(tmp_path)

    secrets.write(tmp_path)

    assert files(tmp_path) == first
    assert set(first) == wanted(COMPOSE, S3, TLS)


def test_with_tls_every_address_is_an_encrypted_one_and_without_it_none(tmp_path):
    def schemes():
        return {
            text.partition("://")[0] for name, (_, text) in files(tmp_path).items() if name.endswith("_url")
        }

    secrets.take(tmp_path, "tls")
    assert schemes() == {*SCHEMES.values(), "postgresql"}

    secrets.take(tmp_path, "plain")
    assert schemes() == {*SCHEMES, "postgresql"}


def test_the_key_of_the_ca_is_handed_to_no_container(tmp_path):
    secrets.take(tmp_path, "tls")

    key = tmp_path / "authority" / "ca.key"
    assert key.stat().st_mode & 0o077 == key.parent.stat().st_mode & 0o077 == 0
    assert not any(key.read_text() == text for _, text in files(tmp_path).values())


def test_a_second_call_leaves_every_file_as_it_is(tmp_path):
    secrets.write(tmp_path)
    first = files(tmp_path)

    secrets.write(tmp_path)

    assert files(tmp_path) == first


@pytest.mark.parametrize(
    "name",
    [
        "population_register_token",
        "smpp_password",
        "smtp_password",
        "dkim_private_key",
        "objects_s3_secret_access_key",
    ],
)
def test_what_an_outside_party_handed_out_outlives_a_rotation(tmp_path, name):
    secrets.write(tmp_path)
    file = tmp_path / "secrets" / name
    file.unlink()
    file.touch(mode=0o600)
    file.write_text("as the party gave it")

    secrets.take(tmp_path, "publish")
    secrets.write(tmp_path)

    assert file.read_text() == "as the party gave it"
    assert file.stat().st_mode & 0o777 == secrets.READABLE


def test_a_production_waits_for_what_the_parties_hand_out(tmp_path):
    with pytest.raises(secrets.NotHandedOut, match="population_register_token, smpp_password"):
        secrets.main(tmp_path, "production")
    assert not (tmp_path / secrets.PRODUCTION).exists()

    for name in ("population_register_token", "smpp_password"):
        (tmp_path / "secrets" / name).unlink()
        (tmp_path / "secrets" / name).write_text("as the party gave it")
    secrets.main(tmp_path, "tls", "production")

    assert (tmp_path / secrets.PRODUCTION).exists()
    assert (tmp_path / secrets.TLS).exists()


def test_only_the_owner_reaches_the_files(tmp_path):
    secrets.write(tmp_path)

    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_the_hash_is_the_one_that_rabbitmq_checks():
    hashed = base64.b64decode(secrets.password_hash("a password"))

    assert hashed[4:] == hashlib.sha256(hashed[:4] + b"a password").digest()


def rotated(folder, ago):
    """A key that signs since then, with the one before it still published."""
    secrets.main(folder, "publish", "sign")
    file = folder / "keys" / "keys.json"
    held = json.loads(file.read_text())
    file.write_text(json.dumps(held | {"token_signs_since": (datetime.now(UTC) - ago).isoformat()}))


def published(folder):
    return (folder / "secrets" / "token_public_keys").read_text().count('"kid"')


def steps(folder, *words):
    """The command that ``make compose-secrets`` has a container run."""
    command = [sys.executable, "-m", "deploy.docker.secrets", folder, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_key_is_not_forgotten_while_its_tokens_are_valid(tmp_path):
    rotated(tmp_path, TOKENS_LIVE - timedelta(seconds=90))

    done = steps(tmp_path, "forget")

    assert done.returncode == 1
    assert "again in 2 minutes, or with --now" in done.stderr
    assert "Traceback" not in done.stderr
    assert published(tmp_path) == 2


@pytest.mark.parametrize(("ago", "words"), [(TOKENS_LIVE, []), (timedelta(0), ["--now"])])
def test_it_is_forgotten_once_they_have_run_out_or_when_it_has_to_be(tmp_path, ago, words):
    rotated(tmp_path, ago)

    done = steps(tmp_path, "forget", *words)

    assert done.returncode == 0, done.stderr
    assert published(tmp_path) == 1
