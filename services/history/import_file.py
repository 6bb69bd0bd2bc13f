"""Import a file of records: ``vssid records import participation FILE.jsonl``.

Needs ``DATABASE_URL``. The event ``history.imported`` leaves with the next sweep of the running service.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click

from services.history import use_cases
from services.history.domain import Import
from services.history.settings import ImportSettings
from services.history.storage import HistoryStorage
from shared.database import Database
from shared.refusals import Refused
from shared.settings import SettingsInvalid, load


@click.command()
@click.argument("kind", type=click.Choice(["participation"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="Name of this import, taken once; by default the content's hash.")
@click.option("--source", default="BHXH Việt Nam", show_default=True, help="Where the data is from.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day the data is of; by default now.")
def main(kind: str, file: Path, key: str | None, source: str, as_of: datetime | None) -> None:
    """Import FILE, a JSON object a line, whole or not at all; print what was done as JSON."""
    try:
        settings = load(ImportSettings)
    except SettingsInvalid as invalid:
        raise click.UsageError(str(invalid)) from None
    now = datetime.now(UTC)
    sha256 = _sha256(file)
    offered = Import(
        id=uuid.uuid4(),
        key=key or sha256,
        sha256=sha256,
        source=source,
        as_of=as_of.replace(tzinfo=UTC) if as_of else now,
    )
    database = Database(settings.database_url, name="vssid-history-import", max_size=1)
    database.open()
    try:
        with database.transaction() as tx, file.open("rb") as lines:
            done = use_cases.import_participation(HistoryStorage(tx), offered, lines, now)
    except Refused as refused:
        for problem in refused.problems:
            click.echo(f"{problem.field}: {problem.vi} / {problem.en}", err=True)
        raise click.ClickException(f"{refused.vi} / {refused.en}") from None
    finally:
        database.close()
    click.echo(
        json.dumps(
            {
                "import_id": str(done.import_id),
                "people": done.people,
                "rows": done.rows,
                "unchanged": done.unchanged,
                "again": done.again,
            }
        )
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


if __name__ == "__main__":
    main()
