"""What an operator's commands have in common: what is wrong is said in a sentence, without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg

from shared.database import Database, Transaction
from shared.settings import Declared, SettingsInvalid, load


def settings_of(cls: type[Declared]) -> Declared:
    """The settings of a command. Raises ``click.UsageError`` naming every variable that is wrong."""
    try:
        return load(cls)
    except SettingsInvalid as wrong:
        raise click.UsageError(str(wrong)) from None


@contextmanager
def transaction_on(url: str, name: str) -> Iterator[Transaction]:
    """One transaction, under this name of the application. Raises ``click.ClickException`` when the database
    is away."""
    database = Database(url, name=name, max_size=1)
    database.open()
    try:
        with database.transaction() as tx:
            yield tx
    except psycopg.OperationalError:
        problem = "the database cannot be reached; is it up, and DATABASE_URL right?"
        raise click.ClickException(problem) from None
    finally:
        database.close()
