"""``vssid audit``: is the audit trail of officers what was sealed, and the chain what was anchored?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click
import psycopg
from psycopg.rows import dict_row

from deploy.vssid import audit
from deploy.vssid.show import show
from deploy.vssid.where import DatabaseSettings, EpochSettings, TrailSettings, databases, load
from services.identity import use_cases
from services.identity.anchors import AnchorForged, Anchors
from services.identity.sealing import FIRST, Anchor, Finding, TrailRow, Verification
from services.identity.storage import Storage
from services.identity.storage.trail import ROWS, SEALS, seal_of_row

EVERYTHING = 2**63 - 1
PAGE = 2000
UNSEALED = "SELECT count(*) AS amount, min(at) AS oldest FROM audit WHERE id > %(after)s"


@click.group("audit")
def trail() -> None:
    """The audit trail of officers: verify it, go on after a restore. docs/audit.md tells its form."""


@trail.command()
@click.option("--from", "start", type=click.IntRange(1), help="Only what comes after this anchored seal.")
@click.option("--all", "every", is_flag=True, help="Every finding; by default the walk ends at the first.")
@click.option("--json", "as_json", is_flag=True, help="Findings and a summary as JSON lines.")
def verify(start: int | None, every: bool, as_json: bool) -> None:
    """Compare rows, seals and anchors, and name the first that is broken or missing. The system may run.

    Exit 0 when all is whole, 1 when something is not. Nothing is kept in memory; --from makes it short.
    """
    wanted = load(TrailSettings)
    anchors = Anchors(wanted.audit_anchors_dir, wanted.audit_public_keys)
    standing, oddities = anchors.all(), []  # read before the database, so that it has all that is anchored
    after = _anchored_at(anchors, start) if start else FIRST

    def later() -> Iterator[Anchor]:
        for anchor in standing:
            if isinstance(anchor, Finding):
                oddities.append(anchor)
            elif anchor.position > after.position:
                yield anchor

    with _reading() as connection:
        walk = Verification(
            _rows(connection, after.last_id),
            _seals(connection, after.sequence),
            later(),
            start=after,
            now=datetime.now(UTC),
        )
        found = [*islice(_until_fault(walk.findings(), every), None)]
        unsealed = connection.execute(UNSEALED, {"after": walk.head.last_id}).fetchone()
    found += oddities
    broken = any(finding.is_fault for finding in found)
    _tell(found, walk, unsealed or {}, broken, as_json)
    raise SystemExit(1 if broken else 0)


def _until_fault(findings: Iterator[Finding], every: bool) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        if finding.is_fault and not every:
            return


def _anchored_at(anchors: Anchors, sequence: int) -> Anchor:
    """The newest anchor of that seal."""
    same = [a for a in anchors.all() if isinstance(a, Anchor) and a.sequence == sequence]
    if not same:
        raise click.UsageError(f"seal {sequence} has no anchor: begin after one that has")
    return same[-1]


@contextmanager
def _reading() -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """One moment of identity's database, for as long as the walk takes."""
    url = load(DatabaseSettings).identity_database_url
    with psycopg.connect(url, row_factory=dict_row, application_name="vssid-operator") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def _pages(
    connection: psycopg.Connection[dict[str, Any]], name: str, statement: str, **values: int
) -> Iterator[dict[str, Any]]:
    with connection.cursor(name) as cursor:
        cursor.itersize = PAGE
        cursor.execute(statement, values)
        yield from cursor


def _rows(connection: psycopg.Connection[dict[str, Any]], after: int) -> Iterator[TrailRow]:
    for row in _pages(connection, "trail_rows", ROWS, after=after, until=EVERYTHING):
        yield TrailRow(**row)


def _seals(connection: psycopg.Connection[dict[str, Any]], after: int) -> Any:
    return map(seal_of_row, _pages(connection, "trail_seals", SEALS, after=after))


def _tell(
    found: list[Finding], walk: Verification, unsealed: dict[str, Any], broken: bool, as_json: bool
) -> None:
    summary = {
        "whole": not broken,
        "epoch": walk.head.epoch,
        "sequence": walk.head.sequence,
        "last_row": walk.head.last_id,
        "hash": walk.head.hash,
        "seals": walk.seals_seen,
        "rows": walk.rows_seen,
        "seals_without_anchor": walk.unanchored,
        "rows_without_seal": unsealed.get("amount", 0),
    }
    rows = [
        {
            "finding": finding.kind,
            "seal": finding.sequence,
            "rows": _span(finding),
            "what was found": finding.says,
        }
        for finding in found
    ]
    if as_json:
        for finding in found:
            click.echo(json.dumps({**vars(finding), "is_fault": finding.is_fault}, ensure_ascii=False))
        click.echo(json.dumps(summary))
        return
    show(rows, nothing="Nothing is missing, and nothing was changed.")
    click.echo(
        f"{summary['rows']} rows under {summary['seals']} seals, up to seal {summary['sequence']} and row "
        f"{summary['last_row']}; {summary['rows_without_seal']} newer rows wait for theirs."
    )


def _span(finding: Finding) -> str:
    return (
        str(finding.first_id)
        if finding.first_id == finding.last_id
        else f"{finding.first_id}–{finding.last_id}"
    )


@trail.command("new-epoch")
@click.option("--reason", required=True, help="What happened, for those who verify later.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def new_epoch(reason: str, yes: bool) -> None:
    """After a restore: tell, signed, what was lost, so that sealing goes on from what is there.

    Refused while the chain goes on from its anchor. Every later verification shows the loss.
    """
    wanted = load(EpochSettings)
    anchors = Anchors(wanted.audit_anchors_dir, wanted.audit_public_keys, wanted.audit_signing_key)
    try:
        anchored = anchors.head()
    except AnchorForged:
        raise click.ClickException("the last anchor is not signed by us; vssid audit verify") from None
    if not yes:
        click.confirm("Write down for good that a part of the audit trail is lost?", abort=True)
    with audit.act("audit_epoch_begun", reason=reason):
        try:
            with databases("identity") as ours, ours.transaction("identity") as tx:
                begun, anchor = use_cases.begin_epoch(
                    Storage(tx), anchored, by=audit.operator(), reason=reason, now=datetime.now(UTC)
                )
        except use_cases.NothingLost:
            raise click.ClickException("the chain goes on from its anchor: nothing is lost") from None
        anchors.add([anchor])
    loss = begun.loss
    assert loss is not None
    click.echo(
        f"Epoch {begun.epoch} begins with seal {begun.sequence}, after row {loss.kept_last_id}; "
        f"lost are the seals up to {loss.anchored_sequence}, with rows up to {loss.anchored_last_id}."
    )
