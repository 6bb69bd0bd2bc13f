-- The audit trail's chain of seals (docs/audit.md).

-- An id is handed out after its transaction has its number, so that whoever waits for the transactions before a
-- moment has waited for every id below one that was visible then.
CREATE FUNCTION number_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_numbers_transaction BEFORE INSERT ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION number_transaction();

CREATE TABLE audit_seals (
    sequence  bigint PRIMARY KEY,
    epoch     integer NOT NULL,
    ids       bigint[] NOT NULL,                -- of its rows, in order
    digests   text[] NOT NULL,                  -- of the same
    last_id   bigint NOT NULL,
    previous  text NOT NULL,                    -- the hash of the seal before
    sealed_at timestamptz NOT NULL,
    loss      jsonb,                            -- of the first of an epoch but the first
    hash      text NOT NULL
);
CREATE TRIGGER audit_seals_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

INSERT INTO jobs (kind, key, due_at) VALUES ('seal_audit', 'audit', now());
