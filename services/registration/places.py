"""Loads administrative units and agencies from CSV: all of a file, or nothing of it.

``vssid agencies import agencies.csv`` loads the agencies of a site that has a list of its own, ``--units
FILE`` the units. Loading the same again changes nothing. What is no longer in the file stays, as applications
refer to it: an agency that closes gets its last day in ``valid_to``, one that is merged a ``successor``, too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click
import psycopg

from services.registration.settings import PlacesSettings
from services.registration.storage import plain
from shared.commands import settings_of

DATA = Path(__file__).parent / "data"
UNITS, AGENCIES = DATA / "administrative_units.csv", DATA / "agencies.csv"
FORMER_UNITS = DATA / "former_units.csv"

DAY, TIME = r"(?:Mo|Tu|We|Th|Fr|Sa|Su)", r"(?:[01]\d|2[0-3]):[0-5]\d"
DAYS, SPAN = rf"{DAY}(?:-{DAY})?(?:,{DAY}(?:-{DAY})?)*", rf"{TIME}-{TIME}"
OPENING_HOURS = re.compile(rf"{DAYS} {SPAN}(?:,{SPAN})*(?:; {DAYS} {SPAN}(?:,{SPAN})*)*")
LATITUDES, LONGITUDES = (6.0, 24.0), (102.0, 118.0)

LOAD_UNIT = """
INSERT INTO administrative_units (code, name, kind, parent, latitude, longitude)
VALUES (%(code)s, %(name)s, %(kind)s, %(parent)s, %(latitude)s, %(longitude)s)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, parent = excluded.parent,
    latitude = excluded.latitude, longitude = excluded.longitude
"""
LOAD_VALIDITY = """
UPDATE administrative_units
SET valid_from = coalesce(%(valid_from)s, valid_from), valid_to = %(valid_to)s WHERE code = %(code)s
"""
LOAD_FORMER_UNIT = """
INSERT INTO former_units (code, name, kind, parent, valid_to, successors)
VALUES (%(code)s, %(name)s, %(kind)s, nullif(%(parent)s, ''), '2025-06-30',
        string_to_array(%(successors)s, ' '))
ON CONFLICT (code, valid_to) DO UPDATE SET name = excluded.name, kind = excluded.kind,
    parent = excluded.parent, successors = excluded.successors
"""
LOAD_AGENCY = """
INSERT INTO agencies (code, name, searched_name, province_code, commune_code, address, latitude, longitude,
                      opening_hours, valid_from, valid_to, successor)
VALUES (%(code)s, %(name)s, %(searched_name)s, %(province_code)s, %(commune_code)s, %(address)s,
        %(latitude)s, %(longitude)s, %(opening_hours)s, %(valid_from)s, %(valid_to)s, %(successor)s)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, searched_name = excluded.searched_name,
    province_code = excluded.province_code, commune_code = excluded.commune_code, address = excluded.address,
    latitude = excluded.latitude, longitude = excluded.longitude, opening_hours = excluded.opening_hours,
    valid_from = excluded.valid_from, valid_to = excluded.valid_to, successor = excluded.successor
"""

Row = dict[str, Any]
Check = Callable[[str], Any]


class FileWrong(Exception):
    """Lines of a file are not as they should be. ``problems`` say which, and what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Column:
    """A column: what its cells are turned into (``check`` raises ``ValueError`` with what would be right),
    and whether it, and each of its cells, may be left out."""

    check: Check
    optional: bool = False


def load_units(cursor: Any, path: Path = UNITS) -> None:
    """Raises ``FileWrong``."""
    rows = units_in(path, known=frozenset(_codes(cursor, "administrative_units")))
    cursor.executemany(LOAD_UNIT, rows)
    cursor.executemany(LOAD_VALIDITY, rows)


def load_former_units(cursor: Any) -> None:
    """The units of before July 2025, as they are shipped."""
    with FORMER_UNITS.open(encoding="utf-8", newline="") as file:
        cursor.executemany(LOAD_FORMER_UNIT, list(csv.DictReader(file)))


def load_agencies(cursor: Any, path: Path = AGENCIES) -> None:
    """Raises ``FileWrong``."""
    cursor.execute("SELECT code, parent FROM administrative_units")
    parents = {row[0]: row[1] for row in _plain_rows(cursor)}
    cursor.executemany(LOAD_AGENCY, agencies_in(path, parents, frozenset(_codes(cursor, "agencies"))))


def _codes(cursor: Any, table: str) -> Iterator[str]:
    cursor.execute(f"SELECT code FROM {table}")  # noqa: S608  a table of ours, named above
    return (row[0] for row in _plain_rows(cursor))


def _plain_rows(cursor: Any) -> Iterator[tuple[Any, ...]]:
    """Whether the connection gives tuples or dictionaries."""
    return (tuple(row.values()) if isinstance(row, Mapping) else row for row in cursor.fetchall())


# --- what a file may hold ------------------------------------------------------------------------


def units_in(path: Path, known: Collection[str]) -> list[Row]:
    """The units of a file, provinces first. ``known`` are the codes that are there already.

    Raises ``FileWrong``.
    """
    columns = {
        "code": Column(shaped(r"\d{2}|\d{5}", "2 digits of a province or 5 of a commune")),
        "name": Column(text_up_to(200)),
        "kind": Column(text_up_to(40)),
        "parent": Column(shaped(r"\d{2}", "the 2 digits of a province"), optional=True),
        "latitude": Column(between(*LATITUDES), optional=True),
        "longitude": Column(between(*LONGITUDES), optional=True),
        "valid_from": Column(day, optional=True),
        "valid_to": Column(day, optional=True),
    }
    table = read_table(path, columns)
    provinces = {row["code"] for _, row in table.rows if len(row["code"] or "") == 2} | set(known)
    for line, row in table.rows:
        if row["code"] and len(row["code"]) == 5 and row["parent"] not in provinces:
            table.note(line, "parent", "the code of a province in this file or in the database")
        if row["code"] and len(row["code"]) == 2 and row["parent"]:
            table.note(line, "parent", "empty for a province")
    return sorted(table.checked(), key=lambda row: len(row["code"]))


def agencies_in(path: Path, parents: Mapping[str, str | None], known: Collection[str]) -> list[Row]:
    """The agencies of a file. ``parents`` are the units by code with the province of each commune, ``known``
    the codes of the agencies that are there already.

    Raises ``FileWrong``.
    """
    columns = {
        "code": Column(shaped(r"[A-Z0-9][A-Z0-9-]{0,19}", "up to 20 capital letters and digits")),
        "name": Column(text_up_to(300)),
        "province_code": Column(shaped(r"\d{2}", "the 2 digits of a province")),
        "commune_code": Column(shaped(r"\d{5}", "the 5 digits of a commune")),
        "address": Column(text_up_to(500)),
        "latitude": Column(between(*LATITUDES)),
        "longitude": Column(between(*LONGITUDES)),
        "opening_hours": Column(opening_hours, optional=True),
        "valid_from": Column(day, optional=True),
        "valid_to": Column(day, optional=True),
        "successor": Column(text_up_to(20), optional=True),
    }
    table = read_table(path, columns)
    codes = {row["code"] for _, row in table.rows} | set(known)
    for line, row in table.rows:
        province, commune = row["province_code"], row["commune_code"]
        if province and parents.get(province, "") is not None:
            table.note(line, "province_code", "the code of a province")
        elif province and commune and parents.get(commune) != province:
            table.note(line, "commune_code", f"the code of a commune of the province {province}")
        if row["successor"] and (row["successor"] not in codes - {row["code"]} or not row["valid_to"]):
            table.note(line, "successor", "the code of another agency, beside a last day in valid_to")
        if row["valid_from"] and row["valid_to"] and row["valid_to"] < row["valid_from"]:
            table.note(line, "valid_to", "not before valid_from")
    return [{**row, "searched_name": plain(row["name"])} for row in table.checked()]


class Table:
    """The rows of a file with their lines, and what is wrong with it."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Row]] = []
        self.problems: list[tuple[int, str]] = []
        self.codes: set[str | None] = set()

    def note(self, line: int, column: str, right: str) -> None:
        self.problems.append((line, f"line {line}: {column}: {right}"))

    def checked(self) -> list[Row]:
        """Raises ``FileWrong``."""
        if self.problems:
            raise FileWrong([said for _, said in sorted(self.problems)])
        return [row for _, row in self.rows]


def read_table(path: Path, columns: Mapping[str, Column]) -> Table:
    """Every cell checked, and every code there once; a cell that is wrong is None.

    Raises ``FileWrong`` when the file is no CSV in UTF-8 with these columns.
    """
    table = Table()
    reader = csv.reader(_lines(path), strict=True)
    try:
        header = next(reader, [])
        absent = [name for name, column in columns.items() if not column.optional and name not in header]
        unknown = [name for name in header if name not in columns]
        if absent or unknown or len(set(header)) < len(header):
            needed = ", ".join(name if not c.optional else f"[{name}]" for name, c in columns.items())
            raise FileWrong([f"line 1: the columns are {needed}, in any order"])
        for cells in reader:
            if cells:
                _add(table, reader.line_num, header, cells, columns)
    except csv.Error as error:
        raise FileWrong([f"line {reader.line_num}: {error}"]) from None
    return table


def _lines(path: Path) -> Iterator[str]:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FileWrong([f"line {line}: the file is to be in UTF-8"]) from None
    return io.StringIO(text, newline="")


def _add(table: Table, line: int, header: list[str], cells: list[str], columns: Mapping[str, Column]) -> None:
    if len(cells) != len(header):
        table.problems.append(
            (line, f"line {line}: {len(header)} cells, as line 1 has; here are {len(cells)}")
        )
        return
    row: Row = dict.fromkeys(columns)
    for name, cell in zip(header, cells, strict=True):
        if not cell.strip() and columns[name].optional:
            continue
        try:
            row[name] = columns[name].check(cell.strip())
        except ValueError as wrong:
            table.note(line, name, str(wrong))
    if row["code"] and row["code"] in table.codes:
        table.note(line, "code", "each code once")
    table.codes.add(row["code"])
    table.rows.append((line, row))


def shaped(pattern: str, right: str) -> Check:
    def check(cell: str) -> str:
        if not re.fullmatch(pattern, cell, re.ASCII):
            raise ValueError(right)
        return cell

    return check


def text_up_to(longest: int) -> Check:
    def check(cell: str) -> str:
        if not 1 <= len(cell) <= longest or not cell.isprintable():
            raise ValueError(f"1 to {longest} characters on one line")
        return cell

    return check


def between(least: float, most: float) -> Check:
    def check(cell: str) -> float:
        right = f"degrees, {least:g} to {most:g}"
        try:
            value = float(cell)
        except ValueError:
            raise ValueError(right) from None
        if not least <= value <= most:
            raise ValueError(right)
        return value

    return check


def day(cell: str) -> date:
    try:
        return date.fromisoformat(cell)
    except ValueError:
        raise ValueError("a day, as 2025-07-01") from None


def opening_hours(cell: str) -> str:
    """As OpenStreetMap writes them; each span ends after it begins."""
    spans = re.findall(rf"({TIME})-({TIME})", cell)
    if not OPENING_HOURS.fullmatch(cell) or any(opens >= closes for opens, closes in spans):
        raise ValueError("opening hours, as Mo-Fr 07:30-11:30,13:00-16:30; Sa 07:30-11:30")
    return cell


# --- the command ---------------------------------------------------------------------------------

CSV_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("agencies", type=CSV_FILE, default=AGENCIES)
@click.option("--units", type=CSV_FILE, default=UNITS)
def load(agencies: Path, units: Path) -> None:
    """Load AGENCIES (a CSV like data/agencies.csv) into the database of DATABASE_URL."""
    database_url = settings_of(PlacesSettings).database_url
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        for load_file, path in ((load_units, units), (load_agencies, agencies)):
            try:
                load_file(cursor, path)
            except FileWrong as wrong:
                for problem in wrong.problems:
                    click.echo(f"{path.name}: {problem}", err=True)
                raise click.ClickException(
                    f"nothing was imported: {len(wrong.problems)} problems in {path}"
                ) from None
