"""The command with which an operator adds an officer."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from services.identity import totp
from services.identity.parts import now
from services.identity.passwords import Passwords
from services.identity.storage import Storage
from services.identity.tests.integration.house import transaction_on

PASSWORDS = Passwords(lambda function, *arguments: function(*arguments))


def add(dsn: str | None, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"DATABASE_URL": dsn} if dsn else {})}
    command = [sys.executable, "-m", "services.identity.add_staff", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_password_is_made_and_shown_once(identity_dsn: str) -> None:
    done = add(identity_dsn, "--user", "thu.a", "--agency", "00101", "--name", "Thử A")
    assert done.returncode == 0, done.stderr
    password = done.stdout.split("once: ")[1].strip()
    with transaction_on(identity_dsn, keep=False) as tx:
        added = Storage(tx).staff_named("thu.a")
    assert added is not None
    assert (added.name, added.agency_code) == ("Thử A", "00101")
    assert PASSWORDS.is_right(added.password_hash, password)
    code = done.stdout.split("72 hours: ")[1].splitlines()[0]
    assert added.enrolment_hash == totp.enrolment_hash(code)
    assert added.enrolment_until is not None
    assert timedelta(hours=71) < added.enrolment_until - now() <= timedelta(hours=72)


def test_a_password_from_a_file_is_used_and_not_shown(identity_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a password of the operator's choice\n")
    done = add(
        identity_dsn, "--user", "thu.b", "--agency", "00101", "--name", "B", "--password-file", str(file)
    )
    assert done.returncode == 0, done.stderr
    assert "operator" not in done.stdout
    with transaction_on(identity_dsn, keep=False) as tx:
        added = Storage(tx).staff_named("thu.b")
    assert added is not None
    assert PASSWORDS.is_right(added.password_hash, "a password of the operator's choice")


@pytest.mark.parametrize(
    ("user", "said"), [("thu.c", "thu.c is taken"), ("X", "--user"), ("có dấu", "--user")]
)
def test_what_is_wrong_is_said_in_a_line(identity_dsn: str, user: str, said: str) -> None:
    add(identity_dsn, "--user", "thu.c", "--agency", "00101", "--name", "C")
    done = add(identity_dsn, "--user", user, "--agency", "00101", "--name", "C")
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_database_it_says_what_to_set() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    command = [sys.executable, "-m", "services.identity.add_staff"]
    options = ["--user", "thu.d", "--agency", "00101", "--name", "D"]
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
