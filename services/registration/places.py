"""Loads administrative units and agencies from CSV; loading the same again changes nothing.

``vssid agencies import agencies.csv`` loads the agencies of a site that has a list of
its own, ``--units FILE`` the units. One that is no longer in the file stays: applications refer to it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psycopg

from services.registration.settings import PlacesSettings
from services.registration.storage import plain
from shared import settings

DATA = Path(__file__).parent / "data"
UNITS, AGENCIES = DATA / "administrative_units.csv", DATA / "agencies.csv"

LOAD_UNIT = """
INSERT INTO administrative_units (code, name, kind, parent)
VALUES (%(code)s, %(name)s, %(kind)s, nullif(%(parent)s, ''))
ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, parent = excluded.parent
"""
LOAD_AGENCY = """
INSERT INTO agencies (code, name, searched_name, province_code, commune_code, address, latitude, longitude)
VALUES (%(code)s, %(name)s, %(searched_name)s, %(province_code)s, %(commune_code)s, %(address)s,
        %(latitude)s, %(longitude)s)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, searched_name = excluded.searched_name,
    province_code = excluded.province_code, commune_code = excluded.commune_code, address = excluded.address,
    latitude = excluded.latitude, longitude = excluded.longitude
"""


def load_units(cursor: Any, path: Path = UNITS) -> None:
    """Provinces stand before communes in the file, as each commune refers to its province."""
    cursor.executemany(LOAD_UNIT, list(rows(path)))


def load_agencies(cursor: Any, path: Path = AGENCIES) -> None:
    agencies = [
        {
            **row,
            "searched_name": plain(row["name"]),
            "latitude": float(row["latitude"]),
            "longitude": float(row["longitude"]),
        }
        for row in rows(path)
    ]
    cursor.executemany(LOAD_AGENCY, agencies)


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@click.command()
@click.argument("agencies", type=click.Path(exists=True, path_type=Path), default=AGENCIES)
@click.option("--units", type=click.Path(exists=True, path_type=Path), default=UNITS)
def load(agencies: Path, units: Path) -> None:
    """Load AGENCIES (a CSV like data/agencies.csv) into the database of DATABASE_URL."""
    try:
        database_url = settings.load(PlacesSettings).database_url
    except settings.SettingsInvalid as wrong:
        raise click.UsageError(str(wrong)) from None
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        load_units(cursor, units)
        load_agencies(cursor, agencies)
