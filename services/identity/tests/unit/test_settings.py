"""What identity must be told."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import KeySet, OKPKey

from services.identity.settings import Settings
from shared.cache import parsed
from shared.settings import SettingsInvalid, load

KEY = OKPKey.generate_key("Ed25519", parameters={"kid": "test"})
GOOD = {
    "AMQP_URL": "amqp://localhost",
    "OPS_PORT": "0",
    "DATABASE_URL": "postgresql://localhost/identity",
    "REDIS_URL": "redis://localhost",
    "POPULATION_REGISTER_URL": "http://localhost",
    "POPULATION_REGISTER_TOKEN": "a-token",
    "OBJECTS_DIR": "/objects",
    "PHOTOS_PRIVATE": "a-key",
    "TOKEN_SIGNING_KEY": json.dumps(KEY.as_dict(private=True)),
    "TOKEN_PUBLIC_KEYS": json.dumps(KeySet([KEY]).as_dict(private=False)),
}


def test_defaults_are_those_of_the_rules() -> None:
    settings = load(Settings, GOOD)
    assert settings.register_timeout_seconds == 2.0
    assert (settings.access_token_minutes, settings.staff_token_hours) == (15, 8)
    assert (settings.first_password_hours, settings.first_password_replacements) == (72, 3)


def test_the_limits_of_an_address_let_thousands_behind_a_carriers_through() -> None:
    settings = load(Settings, GOOD)
    for address, own in (
        (settings.log_in_otps_per_address, settings.log_in_otps_per_account),
        (settings.email_reset_address_limit, settings.email_reset_limit),
    ):
        assert parsed(address).get_expiry() == parsed(own).get_expiry() == 3600
        assert parsed(address).amount >= 500 * parsed(own).amount


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(Settings, {})
    missing = {problem.variable for problem in refused.value.problems}
    assert missing == set(GOOD)


@pytest.mark.parametrize("name", ["TOKEN_SIGNING_KEY", "TOKEN_PUBLIC_KEYS"])
@pytest.mark.parametrize(
    "value", ["not json", "[]", "{}", '{"keys": []}', '{"keys": [{}]}', '{"crv": "Ed25519"}']
)
def test_a_wrong_key_is_told_at_the_start_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(Settings, {**GOOD, name: value})
    assert [problem.variable for problem in refused.value.problems] == [name]
    assert value not in str(refused.value)


def test_anchors_need_keys_that_sign_and_verify_them() -> None:
    assert not load(Settings, GOOD).audit_anchors_dir
    with pytest.raises(SettingsInvalid) as refused:
        load(Settings, {**GOOD, "AUDIT_ANCHORS_DIR": "/somewhere"})
    assert [p.variable for p in refused.value.problems] == ["AUDIT_SIGNING_KEY", "AUDIT_PUBLIC_KEYS"]
    keys = {name.replace("TOKEN", "AUDIT"): GOOD[name] for name in ("TOKEN_SIGNING_KEY", "TOKEN_PUBLIC_KEYS")}
    assert load(Settings, {**GOOD, **keys, "AUDIT_ANCHORS_DIR": "/somewhere"}).audit_seal_seconds == 60


def test_secrets_are_not_shown() -> None:
    shown = repr(load(Settings, GOOD))
    assert "a-token" not in shown
    assert KEY.as_dict(private=True)["d"] not in shown
