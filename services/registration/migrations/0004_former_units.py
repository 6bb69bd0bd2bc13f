"""Units of before July 2025 and what became of them; where units lie; hours and closing of agencies."""

from yoyo import step

from services.registration import places

TABLES = """
CREATE TABLE former_units (
    code       text NOT NULL,
    name       text NOT NULL,
    kind       text NOT NULL,
    parent     text,
    valid_from date,                -- null: since ever
    valid_to   date NOT NULL,
    successors text[] NOT NULL,     -- today's units on its ground: more than one where it was divided
    PRIMARY KEY (code, valid_to)
);
CREATE INDEX former_units_parent ON former_units (parent, code);

ALTER TABLE administrative_units
    ADD COLUMN latitude double precision,
    ADD COLUMN longitude double precision;

ALTER TABLE agencies
    ADD COLUMN opening_hours text,  -- as OpenStreetMap writes them
    ADD COLUMN valid_from date,
    ADD COLUMN valid_to date,       -- the last day on which it was open; null: until further notice
    ADD COLUMN successor text;      -- the agency that took over
"""


def load(connection):  # noqa: ANN001, ANN201 -- yoyo's own connection
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        places.load_former_units(cursor)
        places.load_units(cursor)
        places.load_agencies(cursor)


__depends__ = {"0003_open_registrations"}
steps = [step(load)]
