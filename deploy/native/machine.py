"""Knows where the servers' programs are: in this machine's root, or in another Debian's below a folder."""

import os
from pathlib import Path

from deploy.native.layout import ROOT

# The one in /usr/sbin is Debian's: it switches to the user and the folder of the system-wide broker.
RABBITMQ_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
ROOT_SETTING = "VSSID_SERVERS_ROOT"
ENTER_ROOT = Path(__file__).with_name("enter_root.sh")


class NotReady(Exception):
    """Something did not come up. The text names it, says why as far as known, and what to do next."""


def servers_root() -> Path:
    """The root of the Debian that the servers come from: this machine's, unless VSSID_SERVERS_ROOT (relative
    to the repository) names another, as `debian_root.sh` makes it."""
    return (ROOT / os.environ.get(ROOT_SETTING, "/")).resolve()


def in_servers_root(run: Path) -> list[str]:
    """The prefix of a command that is to run in `servers_root()` and to see the folder `run`; empty for this
    machine's own root. Raises NotReady."""
    root = servers_root()
    if root == Path("/"):
        return []
    if not is_root():
        raise NotReady(f"only root can run servers of another Debian; unset {ROOT_SETTING}, or become root")
    return ["unshare", "--mount", "sh", str(ENTER_ROOT), str(root), str(run), "--"]


def postgres_bin() -> Path:
    """The folder with the newest PostgreSQL of `servers_root()`, as it is named there."""
    root = servers_root()
    versions = sorted(
        (root / "usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: float(file.parts[-3])
    )
    if not versions:
        raise NotReady(_how_to_install(root))
    return Path("/") / versions[-1].parent.relative_to(root)


def _how_to_install(root: Path) -> str:
    if root == Path("/"):
        return "PostgreSQL is not installed; run `make setup`, which installs it"
    return f"no PostgreSQL in {root}, which {ROOT_SETTING} names; `make test-compat` makes .run/trixie"


def is_root() -> bool:
    return os.geteuid() == 0
