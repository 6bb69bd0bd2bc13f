"""``vssid backup``, ``restore``: the four databases, the photos and the site's settings, by PostgreSQL's own
tools.

Each database is dumped as of one moment of its own; the four moments lie within a second or two. What was on
its way between them then is what ``vssid reconcile`` finds and closes.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg import conninfo, sql

from deploy.vssid import audit
from deploy.vssid.where import PROCESSES, DatabaseSettings, ObjectSettings, load, native_folder
from services.identity.storage import Storage as IdentityStorage
from services.notification import use_cases as notification
from services.notification.storage import MessageStorage
from services.registration.storage import Storage as RegistrationStorage
from shared import migrate
from shared.database import Database
from shared.messaging.topology import SERVICES

MANIFEST = "manifest.json"
OBJECTS = "objects.tar"
SKIPPED_NUMBERS = 1_000_000
"""Declaration numbers left out after a restore: more than can have been handed out since the backup."""
SKIPPED_AUDIT_IDS = 1_000_000
"""Ids of audit rows left out after a restore, so that no id stands for two acts."""
RECEIPT_WAIT_SECONDS = 15.0
MESSAGES_AT_ONCE = 500

STILL_RUNNING = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s"
TERMINATE = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"


@dataclass(frozen=True, kw_only=True)
class RestoreSettings(ObjectSettings):
    """What replacing a database needs."""

    postgres_admin_url: str = field(
        metadata={"help": "PostgreSQL, as a role that may make databases: postgresql://…", "secret": True}
    )


@click.command()
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="Folder for backups.")
def backup(folder: Path) -> None:
    """All four databases at once, then the photos of a folder and the settings of a native installation, into
    a new folder below FOLDER. Services may run."""
    began = datetime.now(UTC)
    made = folder / began.strftime("%Y%m%dT%H%M%SZ")
    made.mkdir(mode=0o700, parents=True)
    addresses = load(DatabaseSettings)
    with ThreadPoolExecutor(len(SERVICES)) as together:
        list(together.map(lambda service: _dump(addresses.of(service), made / f"{service}.dump"), SERVICES))
    known = load(ObjectSettings)
    if known.bucket is None and known.objects_dir:
        _pack(Path(known.objects_dir), made / OBJECTS)
    run = native_folder()
    if run is not None:
        _take_settings(run, made)
    files = {file.name: _sha256(file) for file in sorted(made.iterdir())}
    about = {"began_at": began.isoformat(), "ended_at": datetime.now(UTC).isoformat(), "sha256": files}
    (made / MANIFEST).write_text(json.dumps(about, indent=1) + "\n")
    size = sum(file.stat().st_size for file in made.iterdir())
    click.echo(f"{made}: {', '.join(files)}; {size / 1e6:.1f} MB")
    if known.bucket is not None:
        click.echo(f"Not in it: the photos, in the bucket {known.bucket.name}; its server has to copy them")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("services", nargs=-1, type=click.Choice(SERVICES))
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(folder: Path, services: tuple[str, ...], yes: bool) -> None:
    """Put the databases of SERVICES (by default all) back to what the backup in FOLDER holds.

    The database as it is now is kept beside it, under another name; photos that are missing come back, none
    goes; so do the settings of a native installation. Stop the services first; those of a native installation
    are stopped, and started afterwards.
    """
    _check(folder)
    run = native_folder()
    if run is not None:
        _check_settings(run, folder)
    chosen = services or SERVICES
    if not yes:
        click.confirm(f"Replace the databases of {', '.join(chosen)} by {folder.name}?", abort=True)
    with audit.act("restored", services=list(chosen), backup=folder.name):
        all_over = run is not None and _put_back_settings(run, folder)
        addresses, wanted = load(DatabaseSettings), load(RestoreSettings)
        if run is not None:
            _instance(run).supervision.stop(list(PROCESSES if all_over else chosen))
        for service in chosen:
            kept = _replace(
                service, addresses.of(service), wanted.postgres_admin_url, folder / f"{service}.dump"
            )
            click.echo(f"{service}: restored; what was there is kept as the database {kept}")
        if wanted.bucket is not None:
            click.echo("photos: they lie in the bucket; what is missing there comes back from its own copy")
        elif wanted.objects_dir and (folder / OBJECTS).exists():
            click.echo(
                f"photos: {_unpack(folder / OBJECTS, Path(wanted.objects_dir))} were missing and are back"
            )
        if run is not None:
            _instance(run).up()
    click.echo("Next: " + ("start the services, then " if run is None else "") + "vssid reconcile")


def _instance(run: Path) -> Any:
    from deploy.native.instance import Instance  # the service image holds no native installation

    return Instance(run)


@click.command("after-restore")
@click.argument("service", type=click.Choice(SERVICES))
def after_restore(service: str) -> None:
    """What must be done to a database that was restored by other means, before its service starts."""
    with audit.act("after_restore", service=service):
        _settle(service, load(DatabaseSettings).of(service))


def _settle(service: str, url: str) -> None:
    """No declaration number is handed out twice; no message that may have gone out goes out again; no photo
    that came since is deleted before ``reconcile`` has found every application."""
    database = Database(url, name="vssid-operator", max_size=1)
    database.open()
    try:
        if service == "registration":
            with database.transaction() as tx:
                RegistrationStorage(tx).skip_declarations(SKIPPED_NUMBERS)
                RegistrationStorage(tx).forget_reminders()
                RegistrationStorage(tx).hold_orphans()
        if service == "identity":
            with database.transaction() as tx:
                IdentityStorage(tx).skip_audit_ids(SKIPPED_AUDIT_IDS)
        if service == "notification":
            given_up = MESSAGES_AT_ONCE
            while given_up == MESSAGES_AT_ONCE:
                with database.transaction() as tx:
                    given_up = notification.give_up_in_flight(
                        MessageStorage(tx),
                        receipt_wait_seconds=RECEIPT_WAIT_SECONDS,
                        limit=MESSAGES_AT_ONCE,
                        now=datetime.now(UTC),
                    )
    finally:
        database.close()


# ---- PostgreSQL ---------------------------------------------------------------------------------------


def _dump(url: str, file: Path) -> None:
    with _private(file) as out:
        _run_tool(["pg_dump", "--format=custom"], url, stdout=out)


def _replace(service: str, url: str, admin_url: str, dump: Path) -> str:
    """Restore beside the database, bring it up to date, then swap the two. Returns the old one's new name."""
    parts = conninfo.conninfo_to_dict(url)
    name, role = str(parts["dbname"]), str(parts["user"])
    draft, kept = f"{name}_restoring", f"{name}_before_{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"
    draft_url = _with_database(url, draft)
    with psycopg.connect(admin_url, autocommit=True) as admin:

        def do(statement: str, *names: str) -> None:
            admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

        if admin.execute(STILL_RUNNING, [name, f"vssid-{service}"]).fetchone() is not None:
            raise click.ClickException(f"{service} still runs; stop it first")
        do("DROP DATABASE IF EXISTS {} WITH (FORCE)", draft)
        do("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'", draft, role)
        do("REVOKE ALL ON DATABASE {} FROM PUBLIC", draft)
        with dump.open("rb") as content:
            _run_tool(["pg_restore", "--no-owner", "--no-privileges", "--exit-on-error"], draft_url, content)
        migrate.migrate(service, draft_url, tell=lambda _said: None)
        _settle(service, draft_url)
        do("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", name)
        for database in (name, draft):
            admin.execute(TERMINATE, [database])
        do("ALTER DATABASE {} RENAME TO {}", name, kept)
        do("ALTER DATABASE {} RENAME TO {}", draft, name)
    return kept


def _with_database(url: str, name: str) -> str:
    return conninfo.make_conninfo(url, dbname=name)


def _run_tool(command: list[str], url: str, stdin: object = None, stdout: object = None) -> None:
    """One of PostgreSQL's programs on a database; the password travels in the environment."""
    parts = conninfo.conninfo_to_dict(url)
    environment = {**os.environ, "PGPASSWORD": str(parts.pop("password")), "LC_ALL": "C.UTF-8"}
    prefix, program = _program(command[0])
    try:
        done = subprocess.run(
            [*prefix, program, *command[1:], "--dbname", conninfo.make_conninfo(**parts)],
            env=environment,
            stdin=stdin,  # type: ignore[call-overload]
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    except FileNotFoundError:
        raise click.ClickException(
            f"there is no {command[0]} here; in containers docs/operations.md tells how: Back up"
        ) from None
    if done.returncode:
        raise click.ClickException(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}")


def _program(name: str) -> tuple[list[str], str]:
    """Where a program of PostgreSQL is: that of the native installation's version, else on the path."""
    run = native_folder()
    if run is None:
        return [], name
    from deploy.native import machine

    root = machine.servers_root(run)
    return machine.inside(root, run), str(machine.postgres_bin(root) / name)


# ---- files --------------------------------------------------------------------------------------------


def _private(file: Path):  # noqa: ANN202 - a binary file
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _pack(objects: Path, file: Path) -> None:
    """The photos. After the databases, so that every photo they name is here; half-written ones are not."""
    with _private(file) as out, tarfile.open(fileobj=out, mode="w|") as tar:
        for path in sorted(objects.glob("[a-z]*/*")):
            try:
                tar.add(path, str(path.relative_to(objects)), recursive=False)
            except FileNotFoundError:  # replaced by another one meanwhile
                continue


def _unpack(file: Path, objects: Path) -> int:
    """Bring back the photos that are missing; how many."""
    count = 0
    with tarfile.open(file) as tar:
        for member in tar:
            if not (objects / member.name).exists():
                tar.extract(member, objects, filter="data")
                count += 1
    return count


def _take_settings(run: Path, made: Path) -> None:
    """What the site sets, if it sets anything: without it the installation would come back as by default."""
    from deploy.native import site

    try:
        settings = (run / site.FILE).read_bytes()
    except FileNotFoundError:
        return
    with _private(made / site.FILE) as out:
        out.write(settings)


def _check_settings(run: Path, folder: Path) -> None:
    """The settings of the backup can be put back, if they are to be. Raises ``ClickException``."""
    from deploy.native import site

    if (run / site.FILE).exists():
        return
    try:
        site.check(folder / site.FILE)
    except site.NotReady as problem:
        raise click.ClickException(
            f"{problem}\nin {run / site.FILE}, which then stays as you write it; then restore again"
        ) from None


def _put_back_settings(run: Path, folder: Path) -> bool:
    """The site's settings come back where they are missing; whether they did. Others stay as they are now."""
    from deploy.native import site

    kept = folder / site.FILE
    if not kept.exists():
        return False
    if site.put_back(run, kept):
        click.echo("settings: they were missing and are back, for all services")
        return True
    if differing := site.differing(run, kept):
        click.echo(f"settings: {run / site.FILE} stays; {kept} says otherwise of {', '.join(differing)}")
    return False


def _check(folder: Path) -> None:
    """Every file of the backup is whole. Raises ``ClickException``."""
    try:
        files: dict[str, str] = json.loads((folder / MANIFEST).read_text())["sha256"]
    except FileNotFoundError:
        raise click.ClickException(f"{folder} holds no finished backup: there is no {MANIFEST}") from None
    wrong = [name for name, sha256 in files.items() if _sha256(folder / name) != sha256]
    if wrong:
        raise click.ClickException(f"not as they were written: {', '.join(wrong)}")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
