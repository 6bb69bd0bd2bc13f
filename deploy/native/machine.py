"""Knows where the servers' programs are: in this machine's root, or in another Debian's below a folder."""

import os
from pathlib import Path

from deploy.native.keys import write_private

ROOT = Path(__file__).resolve().parents[2]
# The one in /usr/sbin is Debian's: it switches to the user and the folder of the system-wide broker.
RABBITMQ_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
ROOT_SETTING = "VSSID_SERVERS_ROOT"
ENTER_ROOT = Path(__file__).with_name("enter_root.sh")


class NotReady(Exception):
    """Something did not come up. The text names it, says why as far as known, and what to do next."""


def servers_root(run: Path) -> Path:
    """The root of the Debian that the servers of the installation in `run` come from: this machine's, unless
    VSSID_SERVERS_ROOT (relative to the repository) named another when the installation was made. It is kept,
    because PostgreSQL does not open what another version wrote. Raises NotReady when another is named later.
    """
    named = os.environ.get(ROOT_SETTING)
    file = run / "servers_root"
    if not file.exists():
        write_private(file, str((ROOT / (named or "/")).resolve()))
    root = Path(file.read_text())
    if named and (ROOT / named).resolve() != root:
        raise NotReady(
            f"{run} was made with the servers of {root}, so {ROOT_SETTING} cannot be {named}; "
            "unset it, or take another folder: RUN=.run/other"
        )
    return root


def inside(root: Path, run: Path) -> list[str]:
    """The prefix of a command that is to run in `root` and to see the folder `run`; empty for this machine's
    own root. Raises NotReady."""
    if root == Path("/"):
        return []
    if not is_root():
        raise NotReady(f"only root can run the servers of {root}; become root, or take another folder")
    return ["unshare", "--mount", "sh", str(ENTER_ROOT), str(root), str(run), "--"]


def postgres_bin(root: Path = Path("/")) -> Path:
    """The folder with the newest PostgreSQL of `root`, as it is named there. Raises NotReady."""
    versions = sorted(
        (root / "usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: float(file.parts[-3])
    )
    if not versions:
        raise NotReady(_how_to_install(root))
    return Path("/") / versions[-1].parent.relative_to(root)


def _how_to_install(root: Path) -> str:
    if root == Path("/"):
        return "PostgreSQL is not installed; run `make setup`, which installs it"
    return f"no PostgreSQL is in {root}; `make test-compat` makes the root .run/trixie, with all servers"


def is_root() -> bool:
    return os.geteuid() == 0
