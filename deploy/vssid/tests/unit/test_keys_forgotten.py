import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.native.keys import Keys
from deploy.native.ports import NAMES
from deploy.vssid import keys
from services.identity.devices import TOKENS_LIVE


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that has just rotated its key."""
    (tmp_path / "ports.json").write_text(json.dumps({name: 20_000 + at for at, name in enumerate(NAMES)}))
    monkeypatch.setenv("RUN", str(tmp_path))
    monkeypatch.setattr(keys, "_restart", lambda *_: None)
    assert "In 65 minutes" in vssid_keys("rotate").output
    return tmp_path


def vssid_keys(*arguments: str) -> Result:
    return CliRunner().invoke(keys.keys, arguments, catch_exceptions=False)


def published(run: Path) -> int:
    return Keys.kept_in(run / "secrets").token_public_keys().count('"kid"')


def rotated(run: Path, ago: timedelta | None) -> None:
    """The last rotation was then, or by a version that did not write down when."""
    file = run / "secrets" / "keys.json"
    held = json.loads(file.read_text())
    del held["token_signs_since"]
    if ago is not None:
        held["token_signs_since"] = (datetime.now(UTC) - ago).isoformat()
    file.write_text(json.dumps(held))


def test_a_key_is_not_forgotten_while_its_tokens_are_valid(run: Path) -> None:
    rotated(run, TOKENS_LIVE - timedelta(seconds=90))

    done = vssid_keys("forget")

    assert done.exit_code == 1
    assert "again in 2 minutes" in done.output
    assert published(run) == 2


@pytest.mark.parametrize(("ago", "options"), [(TOKENS_LIVE, []), (timedelta(0), ["--now"]), (None, [])])
def test_it_is_forgotten_once_they_have_run_out_or_when_it_has_to_be(
    run: Path, ago: timedelta | None, options: list[str]
) -> None:
    rotated(run, ago)

    assert vssid_keys("forget", *options).exit_code == 0
    assert published(run) == 1
    assert Keys.kept_in(run / "secrets").signs_since is None


def test_a_second_rotation_begins_the_wait_anew(run: Path) -> None:
    rotated(run, TOKENS_LIVE)
    vssid_keys("rotate")

    assert vssid_keys("forget").exit_code == 1
    assert published(run) == 3
