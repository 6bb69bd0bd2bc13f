-- Wrong tries, counted here while Redis is away. Nothing of value: a crash of the server may empty it.

CREATE UNLOGGED TABLE wrong_tries (
    kind text NOT NULL,
    key  bytea NOT NULL,
    at   timestamptz NOT NULL
);
CREATE INDEX wrong_tries_of_key ON wrong_tries (kind, key, at);
CREATE INDEX wrong_tries_old ON wrong_tries (at);
