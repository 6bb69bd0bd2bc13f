-- Participation by citizen, its totals, the imports it came from, and the sessions that were ended.

CREATE TABLE import (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    key         text NOT NULL,
    sha256      text NOT NULL,
    source      text NOT NULL,
    as_of       timestamptz NOT NULL,
    people      integer NOT NULL DEFAULT 0,
    rows        integer NOT NULL DEFAULT 0,
    unchanged   integer NOT NULL DEFAULT 0,
    imported_at timestamptz NOT NULL,
    CONSTRAINT one_import_per_key UNIQUE (kind, key)
);
CREATE INDEX import_as_of ON import (kind, as_of DESC);

CREATE TABLE participation (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL,
    from_month  date NOT NULL,
    to_month    date NOT NULL CHECK (to_month >= from_month),
    employer    text NOT NULL,
    job_title   text NOT NULL,
    workplace   text NOT NULL,
    salary_base bigint NOT NULL CHECK (salary_base >= 0),     -- dong a month
    funds       text[] NOT NULL,
    paid        boolean NOT NULL,
    import_id   uuid NOT NULL REFERENCES import,
    CONSTRAINT one_row_per_stretch UNIQUE (code, from_month, employer, job_title)
);
CREATE INDEX participation_page ON participation (code, from_month DESC, id DESC);

CREATE TABLE totals (
    code          text PRIMARY KEY,
    months        integer NOT NULL,           -- each month once, however many stretches cover it
    unpaid_months integer NOT NULL,           -- of these, the ones that no stretch has paid
    source        text NOT NULL,
    as_of         timestamptz NOT NULL
);

CREATE TABLE ended_sessions (
    account_id    uuid PRIMARY KEY,
    issued_before timestamptz NOT NULL
);
