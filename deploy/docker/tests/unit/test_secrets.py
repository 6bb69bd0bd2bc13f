import base64
import hashlib

import yaml

from deploy.docker import secrets
from deploy.native.layout import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def files(folder):
    return {file.name: (file.stat().st_ino, file.read_text()) for file in (folder / "secrets").iterdir()}


def test_every_secret_of_the_compose_file_is_made(tmp_path):
    secrets.write(tmp_path)

    wanted = {secret["file"].rpartition("/")[2] for secret in COMPOSE["secrets"].values()}
    assert set(files(tmp_path)) == wanted


def test_a_second_call_leaves_every_file_as_it_is(tmp_path):
    secrets.write(tmp_path)
    first = files(tmp_path)

    secrets.write(tmp_path)

    assert files(tmp_path) == first


def test_only_the_owner_reaches_the_files(tmp_path):
    secrets.write(tmp_path)

    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_the_hash_is_the_one_that_rabbitmq_checks():
    hashed = base64.b64decode(secrets.password_hash("a password"))

    assert hashed[4:] == hashlib.sha256(hashed[:4] + b"a password").digest()
