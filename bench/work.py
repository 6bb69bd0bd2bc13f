"""The work that every contestant does: tables, statements, messages. Standard library only, so that it costs
each of them the same."""

from __future__ import annotations

import json
from typing import Any

ASKED = "bench.asked.v1"
DONE = "bench.done.v1"
EVENTS = "vssid.events"
SINK = "bench.sink"
"""The quorum queue that hears what the stage publishes."""
DATASCHEMA = f"https://vssid.example/events/{DONE}"

PEOPLE = 2_000
ROWS_EACH = 10

TABLES = f"""
CREATE TABLE effects (item bigint NOT NULL, note text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE periods (
    person integer, number integer, from_month text NOT NULL, to_month text NOT NULL,
    employer text NOT NULL, job_title text NOT NULL, salary_base bigint NOT NULL,
    PRIMARY KEY (person, number)
);
INSERT INTO periods
SELECT person, number, '2015-01', '2015-12', 'Employer ' || number, 'Worker', 4000000 + 1000 * number
FROM generate_series(1, {PEOPLE}) AS person, generate_series(1, {ROWS_EACH}) AS number;
ANALYZE periods;
"""  # noqa: S608 - numbers of ours
TELL_EFFECTS = """
CREATE FUNCTION tell_effect() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('effects', NEW.item::text); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON effects FOR EACH ROW EXECUTE FUNCTION tell_effect();
"""
"""For the latency of one event: the measuring side hears of the commit from PostgreSQL itself."""

# The stage, one event at a time. The inbox and outbox statements of the kit are these for many at once.
INSERT_INBOX = """
INSERT INTO inbox (listener, event_id) VALUES (%(listener)s, %(id)s) ON CONFLICT DO NOTHING
"""
INSERT_EFFECT = "INSERT INTO effects (item, note) VALUES (%(item)s, %(note)s)"
INSERT_EFFECTS = """
INSERT INTO effects (item, note)
SELECT item, note FROM json_to_recordset(%(rows)s) AS row (item bigint, note text)
"""
INSERT_OUTBOX = """
INSERT INTO outbox (id, type, headers, body, due_at)
VALUES (%(id)s, %(type)s, %(headers)s, %(body)s, now() + interval '10 seconds')
"""
DELETE_OUTBOX = "DELETE FROM outbox WHERE id = %(id)s"

# The look-up: one person's ten rows for one call, several people's for calls in flight together.
SELECT_PERIODS = """
SELECT person, number, from_month, to_month, employer, job_title, salary_base
FROM periods WHERE person = ANY(%(people)s) ORDER BY person, number
"""


def asked(item: int) -> dict[str, Any]:
    """The data of the event that starts the work."""
    return {"item": item, "note": f"the {item}th piece of work, as long as such a note usually is"}


def done(item: int) -> dict[str, Any]:
    """The data of the event that says that it is done."""
    return {"item": item, "outcome": "done"}


def done_headers(event_id: str, item: int, at: str) -> dict[str, Any]:
    """Its CloudEvents attributes, as the kit writes them."""
    return {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-source": "/vssid/bench",
        "ce-type": DONE,
        "ce-subject": str(item),
        "ce-time": at,
        "ce-dataschema": DATASCHEMA,
        "ce-correlationid": str(item),
    }


def as_json(value: object) -> str:
    """For a jsonb or bytea parameter."""
    return json.dumps(value)
