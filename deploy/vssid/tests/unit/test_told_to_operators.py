"""What the operator's command says when something is in its way."""

from __future__ import annotations

import json

import amqp
import click
import pytest
from click.testing import CliRunner

from deploy.vssid import backup, doctor, reconcile
from deploy.vssid.__main__ import vssid
from deploy.vssid.findings import well


def refused():
    """A check that is refused half-way."""
    yield well("broker", "RabbitMQ 4.0")
    raise amqp.AccessRefused("who are you?")


def test_that_the_broker_refuses_the_operator_is_a_finding_and_the_others_are_told(monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", {"broker": refused, "keys": lambda: iter([well("keys", "one")])})

    done = CliRunner().invoke(vssid, ["doctor", "--json"])

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["state"], row["what"]) for row in rows] == [
        ("well", "broker"),
        ("wrong", "broker"),
        ("well", "keys"),
    ]
    assert {name for row in rows for name in row} == {"state", "what", "found", "what to do"}
    assert done.exit_code == 1


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()

    done = CliRunner().invoke(vssid, ["backup", "--to", str(tmp_path / "file")])

    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: {tmp_path / 'file'}")


def test_that_a_program_of_postgresql_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(backup, "_program", lambda name: ([], "/nowhere/pg_dump"))

    with pytest.raises(click.ClickException, match="there is no pg_dump here"):
        backup._run_tool(["pg_dump"], "postgresql://user:password@host:1/name")


@pytest.mark.parametrize("as_json", [False, True])
def test_reconciling_says_up_to_when_it_looked(capsys, as_json):
    left = {"round": 1, "until": "2026-01-15T03:00:00+00:00", "found": {}, "mended": {}, "examples": {}}

    reconcile._report(left, mends=False, as_json=as_json)

    assert "2026-01-15T03:00:00+00:00" in capsys.readouterr().out
