import os
import shutil
import subprocess
from pathlib import Path

import pytest

HOST_ACCESS = Path(__file__).parents[2] / "host_access.sh"
NEEDED = ("sh", "cat", "mkdir", "sed", "awk", "sort", "grep")
PIP = """cat <<END
global.index-url='https://index.example/simple'
global.extra-index-url='file:///somewhere/simple'
:env:.default-timeout='180'
global.cert='/somewhere/else.crt'
END"""
APT = """case "$1" in
indextargets)
    echo "Debian https://mirror.example/debian/"
    echo "Debian-Security https://mirror.example/security/" ;;
dump) printf 'Acquire::https::Proxy "http://proxy.example";\\nDir::Cache "var";\\n' ;;
esac"""


@pytest.fixture
def written(tmp_path: Path) -> dict[str, str]:
    """What is written on a machine with a mirror and a proxy: file name → content."""
    commands, folder = tmp_path / "bin", tmp_path / "access"
    commands.mkdir()
    for name in NEEDED:
        (commands / name).symlink_to(shutil.which(name))
    for name, script in {"python3": PIP, "apt-get": APT, "apt-config": APT}.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)
    certificates = tmp_path / "trusted.crt"
    certificates.write_text("a certificate\n")
    environment = {
        "PATH": str(commands),
        "SSL_CERT_FILE": str(certificates),
        "LANG": os.environ.get("LANG", "C"),
    }
    subprocess.run(["sh", HOST_ACCESS, folder], env=environment, check=True)
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_pip_is_told_what_it_can_reach_from_a_container(written):
    assert written["pip.conf"].splitlines() == [
        "[global]",
        "cert = /run/secrets/ca",
        "index-url = https://index.example/simple",
        "timeout = 180",
    ]


def test_apt_is_told_mirror_and_proxy(written):
    assert "deb https://mirror.example/debian/ trixie main" in written["sources.list"].splitlines()
    assert "deb https://mirror.example/security/ trixie-security main" in written["sources.list"].splitlines()
    assert 'Acquire::https::Proxy "http://proxy.example";' in written["apt.conf"]
    assert "Dir::Cache" not in written["apt.conf"]


def test_the_certificates_that_are_trusted_here_go_along(written):
    assert written["ca.crt"] == "a certificate\n"
