"""What is written down of an operator's acts is true whatever becomes of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy.vssid import audit
from deploy.vssid.borrowed import borrowed

Lines = Callable[[], list[dict]]


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    file = tmp_path / "audit.jsonl"
    monkeypatch.delenv("RUN", raising=False)
    monkeypatch.setenv("AUDIT_FILE", str(file))
    monkeypatch.setenv("VSSID_OPERATOR", "the test")
    for service in ("REGISTRATION", "IDENTITY", "NOTIFICATION", "HISTORY"):
        monkeypatch.setenv(f"{service}_DATABASE_URL", f"postgresql://nobody:nothing@nowhere/{service}")
    monkeypatch.setattr(os, "environ", dict(os.environ))  # a borrowed command sets DATABASE_URL
    return lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_an_act_is_written_down_before_it_and_its_outcome_after(lines: Lines) -> None:
    with audit.act("keys_rotated", of="tokens") as act:
        (begun,) = lines()
        act.outcome["count"] = 2
    assert begun | {"act": "", "at": ""} == {
        "at": "", "who": "the test", "action": "keys_rotated", "act": "", "of": "tokens", "state": "begun",
    }  # fmt: skip
    assert lines()[1] | {"at": begun["at"]} == begun | {"state": "done", "count": 2}


@pytest.mark.parametrize("error", [ValueError("0901234567"), KeyboardInterrupt(), SystemExit(1)])
def test_one_that_fails_is_never_done_and_its_errors_text_is_not_kept(
    lines: Lines, error: BaseException
) -> None:
    def restore() -> None:
        with audit.act("restored") as act:
            act.outcome["count"] = 1
            raise error

    with pytest.raises(type(error)):
        restore()
    begun, failed = lines()
    assert (begun["state"], failed["state"], failed["act"]) == ("begun", "failed", begun["act"])
    assert (failed["count"], failed["error"]) == (1, type(error).__name__)
    assert "0901234567" not in json.dumps(failed)


@pytest.mark.parametrize(
    ("refused", "states"), [(None, ["begun", "done"]), ("there is no such file", ["begun", "failed"])]
)
def test_a_borrowed_command_is_done_when_it_is_done(
    lines: Lines, refused: str | None, states: list[str]
) -> None:
    @click.command()
    @click.option("--user")
    def add(user: str) -> None:
        if refused:
            raise click.ClickException(refused)

    CliRunner().invoke(borrowed(add, "identity", "staff_added"), ["--user", "lan"])
    assert [(line["state"], line["user"]) for line in lines()] == [(state, "lan") for state in states]


def test_what_cannot_be_is_refused_before_it_begins(lines: Lines) -> None:
    def check(options: dict) -> None:
        raise click.ClickException(f"there is no agency {options['agency']}")

    @click.command()
    @click.option("--agency")
    def add(agency: str) -> None:
        raise AssertionError("never called")

    done = CliRunner().invoke(borrowed(add, "identity", "staff_added", check), ["--agency", "NOPE"])
    assert (done.exit_code, "there is no agency NOPE" in done.output) == (1, True)
    assert lines() == []
