"""``vssid jobs``: what runs on leases, waits, or was given up."""

from __future__ import annotations

import click

from deploy.vssid import audit
from deploy.vssid.show import show, span
from deploy.vssid.where import databases
from shared.messaging.topology import SERVICES

BACKLOG = """
SELECT kind, count(*) FILTER (WHERE failed_at IS NULL AND due_at <= now()) AS due,
       count(*) FILTER (WHERE failed_at IS NULL AND due_at > now()) AS later,
       count(*) FILTER (WHERE failed_at IS NOT NULL) AS failed,
       extract(epoch FROM now() - min(due_at) FILTER (WHERE failed_at IS NULL AND due_at <= now()))::float
           AS oldest_seconds
FROM jobs GROUP BY kind ORDER BY kind
"""
FAILED = """
SELECT kind, key, attempts, last_error, failed_at FROM jobs
WHERE failed_at IS NOT NULL ORDER BY failed_at LIMIT %(limit)s
"""
RETRY = """
UPDATE jobs SET failed_at = NULL, attempts = 0, due_at = now()
WHERE failed_at IS NOT NULL AND kind = %(kind)s AND (%(key)s::text IS NULL OR key = %(key)s)
RETURNING key
"""
service_argument = click.argument("service", type=click.Choice(SERVICES))


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
@click.pass_context
def jobs(context: click.Context, as_json: bool) -> None:
    """The backlog by kind: due (a lease counts as later), later, given up. Exit 1 when some were given up."""
    if context.invoked_subcommand is not None:
        return
    rows = []
    with databases() as ours:
        for service in SERVICES:
            with ours.transaction(service) as tx:
                for row in tx.all(BACKLOG):
                    oldest = row.pop("oldest_seconds")
                    rows.append({"service": service, **row, "oldest": oldest if as_json else span(oldest)})
    show(rows, as_json, nothing="No jobs.")
    raise SystemExit(1 if any(row["failed"] for row in rows) else 0)


@jobs.command()
@service_argument
@click.option("--limit", default=100, show_default=True, help="How many at the most.")
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
def failed(service: str, limit: int, as_json: bool) -> None:
    """Those that were given up, with the name of the last error."""
    with databases(service) as ours, ours.transaction(service) as tx:
        show(tx.all(FAILED, {"limit": limit}), as_json, nothing="None was given up.")


@jobs.command()
@service_argument
@click.argument("kind")
@click.option("--key", help="Only this one.")
def retry(service: str, kind: str, key: str | None) -> None:
    """Have those of KIND that were given up tried again, attempts counted anew."""
    with audit.act("jobs_retried", service=service, kind=kind, key=key) as act:
        with databases(service) as ours, ours.transaction(service) as tx:
            due = [row["key"] for row in tx.all(RETRY, {"kind": kind, "key": key})]
        act.outcome.update(count=len(due), keys=due)
    click.echo(f"{len(due)} are due again")
