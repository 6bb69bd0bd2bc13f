"""The commands with which an operator registers and disables keys of a voice platform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from shared.messaging.topology import SERVICES
from shared.testing.voice_platform import VoicePlatform


def run(dsn: str, folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    databases = {f"{service.upper()}_DATABASE_URL": dsn for service in SERVICES}
    environment = {**os.environ, **databases, "AUDIT_FILE": str(folder / "audit")}
    environment.pop("RUN", None)
    command = [sys.executable, "-W", "ignore", "-m", "deploy.vssid", "hotline-clients", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, input=typed)


def test_a_platform_has_two_keys_while_it_changes_from_one_to_the_other(
    identity_dsn: str, tmp_path: Path
) -> None:
    ids = []
    for name in ("old", "new"):
        file = tmp_path / name
        file.write_bytes(VoicePlatform().public_key)
        done = run(identity_dsn, tmp_path, "add", "--client", "voice", "--key-file", str(file))
        assert done.returncode == 0, done.stderr
        ids.append(done.stdout.strip())
    again = run(identity_dsn, tmp_path, "add", "--client", "voice", "--key-file", str(tmp_path / "new"))
    assert (again.returncode, f"already, as {ids[1]}" in again.stderr) == (1, True)

    key = VoicePlatform().public_key.decode()
    piped = run(identity_dsn, tmp_path, "add", "--client", "piped", "--key-file", "-", typed=key)
    assert piped.stdout.startswith("piped-"), piped.stderr

    assert run(identity_dsn, tmp_path, "disable", ids[0]).returncode == 0

    rows = [json.loads(line) for line in run(identity_dsn, tmp_path, "list", "--json").stdout.splitlines()]
    known = {row["keyid"]: row["disabled_at"] is None for row in rows if row["client"] == "voice"}
    assert known == {ids[0]: False, ids[1]: True}
    audit = (tmp_path / "audit").read_text()
    assert audit.count("hotline_key_added") == 8
    assert ids[0] in audit


def test_what_is_wrong_is_said_in_a_line(identity_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "no-key"
    file.write_text("no key")
    good = tmp_path / "key"
    good.write_bytes(VoicePlatform().public_key)
    for arguments, said in (
        (("add", "--client", "voice", "--key-file", str(file)), "Ed25519"),
        (("add", "--client", "Có dấu", "--key-file", str(good)), "--client"),
        (("disable", "unknown"), "there is no key unknown"),
    ):
        done = run(identity_dsn, tmp_path, *arguments)
        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr
