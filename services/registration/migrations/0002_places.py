"""The places that the service starts with: administrative units and a synthetic set of agencies."""

import csv

from yoyo import step

from services.registration import places

UNIT = """
INSERT INTO administrative_units (code, name, kind, parent)
VALUES (%(code)s, %(name)s, %(kind)s, nullif(%(parent)s, ''))
ON CONFLICT (code) DO NOTHING
"""
AGENCY = """
INSERT INTO agencies (code, name, searched_name, province_code, commune_code, address, latitude, longitude)
VALUES (%(code)s, %(name)s, '', %(province_code)s, %(commune_code)s, %(address)s,
        %(latitude)s::float8, %(longitude)s::float8)
ON CONFLICT (code) DO NOTHING
"""


def load(connection):  # noqa: ANN001, ANN201 -- yoyo's own connection
    """As the tables are at this point; 0004_former_units.py adds what came later."""
    with connection.cursor() as cursor:
        for statement, path in ((UNIT, places.UNITS), (AGENCY, places.AGENCIES)):
            with path.open(encoding="utf-8", newline="") as file:
                cursor.executemany(statement, list(csv.DictReader(file)))


__depends__ = {"0001_registrations"}
steps = [step(load)]
