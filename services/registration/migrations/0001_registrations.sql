-- Applications and the claims that make a phone belong to one code.

CREATE TABLE registrations (
    id                 uuid PRIMARY KEY,
    status             text NOT NULL,
    language           text NOT NULL,
    token_hash         bytea NOT NULL,
    declaration        jsonb,
    warnings           jsonb NOT NULL DEFAULT '[]',
    register_check     jsonb,
    photos             jsonb NOT NULL DEFAULT '[]',
    agency_code        text,
    email              text,
    email_verified     boolean NOT NULL DEFAULT false,
    email_otp          jsonb,
    declaration_number text,
    submitted_at       timestamptz,
    deadline           timestamptz,
    consent_version    text,
    close_requested    text,
    timeline           jsonb NOT NULL DEFAULT '[]',
    changed_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT declaration_number_unique UNIQUE (declaration_number),
    CONSTRAINT submitted_whole CHECK (
        num_nulls(declaration_number, submitted_at, deadline, consent_version) IN (0, 4)
    )
);

CREATE TABLE claims (
    registration_id uuid PRIMARY KEY REFERENCES registrations (id),
    phone           text NOT NULL,
    code            text NOT NULL,
    CONSTRAINT phone_unique UNIQUE (phone),
    CONSTRAINT code_unique UNIQUE (code)
);

CREATE SEQUENCE declaration_numbers;

CREATE TABLE administrative_units (
    code       text PRIMARY KEY,
    name       text NOT NULL,
    kind       text NOT NULL,
    parent     text REFERENCES administrative_units (code),
    valid_from date NOT NULL DEFAULT '2025-07-01',
    valid_to   date
);
CREATE INDEX administrative_units_parent ON administrative_units (parent, code);

CREATE TABLE agencies (
    code          text PRIMARY KEY,
    name          text NOT NULL,
    searched_name text NOT NULL,
    province_code text NOT NULL REFERENCES administrative_units (code),
    commune_code  text NOT NULL REFERENCES administrative_units (code),
    address       text NOT NULL,
    latitude      double precision NOT NULL,
    longitude     double precision NOT NULL
);
CREATE INDEX agencies_province ON agencies (province_code, code);
