"""Settings: read at once, refused at once, secrets hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cache import parsed
from shared.settings import CommonSettings, FromEnvironment, SettingsInvalid, describe, limit, load

COMMON = {"AMQP_URL": "amqp://u:hidden-one@h/v", "OPS_PORT": "8000"}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)


@dataclass(frozen=True)
class Example(CommonSettings):
    database_url: str = field(metadata={"help": "Where the rows are."})
    visit_deadline_days: int = field(default=30, metadata={"help": "Days.", "least": 1, "most": 365})
    ratio: float = 0.5
    dry_run: bool = False
    hosts: tuple[str, ...] = ()
    ports: list[int] = field(default_factory=list)
    contact: str | None = None
    smpp_password: str = "hidden-default"


def complete(**more: str) -> dict[str, str]:
    return {**COMMON, "DATABASE_URL": "postgresql://u:hidden-two@h/d", **more}


def refused(environ: Mapping[str, str]) -> SettingsInvalid:
    with pytest.raises(SettingsInvalid) as caught:
        load(Example, environ)
    return caught.value


def test_values_are_read_in_the_type_of_their_field() -> None:
    settings = load(
        Example,
        complete(
            VISIT_DEADLINE_DAYS="45", RATIO="0.25", DRY_RUN="true", HOSTS="a, b,", PORTS="1,2", CONTACT="x"
        ),
    )
    assert (settings.visit_deadline_days, settings.ratio, settings.dry_run) == (45, 0.25, True)
    assert (settings.hosts, settings.ports, settings.contact) == (("a", "b"), [1, 2], "x")
    assert settings.ops_port == 8000


def test_what_is_not_given_has_its_default() -> None:
    settings = load(Example, complete())
    assert (settings.visit_deadline_days, settings.dry_run, settings.hosts, settings.contact) == (
        30,
        False,
        (),
        None,
    )
    assert (settings.ops_host, settings.log_level) == ("127.0.0.1", "INFO")


def test_all_missing_and_malformed_variables_are_named_in_one_refusal() -> None:
    problems = refused(
        {
            "OPS_PORT": "eight",
            "VISIT_DEADLINE_DAYS": "0",
            "LOG_LEVEL": "LOUD",
            "DRY_RUN": "perhaps",
            "PORTS": "1,x",
        }
    ).problems
    assert {p.variable: p.reason for p in problems} == {
        "AMQP_URL": "missing",
        "OPS_PORT": "malformed",
        "LOG_LEVEL": "not one of the choices",
        "DATABASE_URL": "missing",
        "VISIT_DEADLINE_DAYS": "out of range",
        "DRY_RUN": "malformed",
        "PORTS": "malformed",
    }


def test_a_refusal_says_what_is_right_and_what_the_variable_is_for() -> None:
    text = str(refused(complete(VISIT_DEADLINE_DAYS="400")))
    assert "VISIT_DEADLINE_DAYS (or VISIT_DEADLINE_DAYS_FILE): out of range" in text
    assert "expected a whole number at least 1, at most 365. Days." in text


@given(TEXTS.map(lambda text: "¤" + text))
def test_a_refusal_never_repeats_the_value(value: str) -> None:
    variables = ("OPS_PORT", "VISIT_DEADLINE_DAYS", "RATIO", "DRY_RUN", "PORTS", "LOG_LEVEL")
    error = refused(complete(**dict.fromkeys(variables, value)))
    assert len(error.problems) == len(variables)
    assert value not in str(error)
    assert value not in repr(error)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert [p.variable for p in refused(complete(AMQP_URL="")).problems] == ["AMQP_URL"]
    assert load(Example, complete(VISIT_DEADLINE_DAYS="")).visit_deadline_days == 30


def test_a_value_may_stand_in_a_file_and_is_stripped(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("  postgresql://from-file \n")
    environ = {**COMMON, "DATABASE_URL_FILE": str(file)}
    assert load(Example, environ).database_url == "postgresql://from-file"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\x00"])
def test_a_file_that_is_absent_empty_or_not_text_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    (problem,) = refused({**COMMON, "DATABASE_URL_FILE": str(file)}).problems
    assert problem.variable == "DATABASE_URL"
    assert "DATABASE_URL_FILE names" in problem.reason


def test_a_variable_given_both_ways_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("x")
    (problem,) = refused(complete(DATABASE_URL_FILE=str(file))).problems
    assert problem.reason.startswith("given twice")


@given(st.integers(1, 365), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), TEXTS)
def test_what_python_writes_is_read_back(days: int, ratio: float, dry_run: bool, contact: str) -> None:
    settings = load(
        Example,
        complete(VISIT_DEADLINE_DAYS=str(days), RATIO=repr(ratio), DRY_RUN=str(dry_run), CONTACT=contact),
    )
    assert (settings.visit_deadline_days, settings.ratio) == (days, ratio)
    assert (settings.dry_run, settings.contact) == (dry_run, contact)


def test_secrets_are_hidden_in_repr_and_usable_as_text() -> None:
    settings = load(Example, complete(SMPP_PASSWORD="hidden-three"))
    assert "hidden" not in repr(settings)
    assert "hidden-default" not in repr(load(Example, complete()))
    assert f"{settings.smpp_password}" == "hidden-three"
    assert settings.database_url == "postgresql://u:hidden-two@h/d"


def test_settings_made_by_hand_hide_their_secrets_too() -> None:
    assert "hidden" not in repr(Example(amqp_url="amqp://hidden", ops_port=1, database_url="hidden"))


def test_a_field_can_be_declared_secret_or_public() -> None:
    @dataclass(frozen=True)
    class Declared(FromEnvironment):
        pepper: str = field(default="hidden", metadata={"secret": True})
        token_public_keys: str = field(default="shown", metadata={"secret": False})
        token_minutes: int = 15

    assert "hidden" not in repr(Declared())
    assert "shown" in repr(Declared())
    assert [row.default for row in describe(Declared)] == ["", "", "shown", "15"]


def test_the_settings_table_lists_each_variable_without_secret_defaults() -> None:
    rows = {row.variable: row for row in describe(Example)}
    assert rows["DATABASE_URL"].required
    assert rows["DATABASE_URL"].help == "Where the rows are."
    assert rows["VISIT_DEADLINE_DAYS"].default == "30"
    assert rows["SMPP_PASSWORD"].secret
    assert rows["SMPP_PASSWORD"].default == ""
    assert "hidden" not in repr(rows)


def test_a_type_that_cannot_be_read_is_an_error_of_the_programmer() -> None:
    @dataclass(frozen=True)
    class Odd(FromEnvironment):
        when: complex = 0j

    with pytest.raises(TypeError):
        load(Odd, {})


@dataclass(frozen=True)
class Limited(FromEnvironment):
    tries: str = limit("10/minute", "Wrong tries.")


WRONG = (
    "10",
    "10 minutes",
    "0/minute",
    "-1/day",
    "10/fortnight",
    "10/0 days",
    "10/25 hours",
    "10/999999 days",
    "5/hour;9/day",
    "x/day",
)


@pytest.mark.parametrize("text", WRONG)
def test_a_limit_that_would_count_nothing_is_refused_at_the_start(text: str) -> None:
    """Not by the first wrong log-in."""
    said = "TRIES .*malformed; expected a rate, such as 10/minute"
    with pytest.raises(SettingsInvalid, match=said):
        load(Limited, {"TRIES": text})
    assert load(Limited, {}).tries == "10/minute"


@given(
    st.builds(
        "{}/{}{}{}".format,
        st.integers(1, 10**6),
        st.one_of(st.just(""), st.integers(1, 23), st.integers(1, 23).map("{} ".format)),
        st.sampled_from(["second", "minute", "hour"]),
        st.sampled_from(["", "s"]),
    )
)
def test_every_limit_that_is_taken_can_be_counted(text: str) -> None:
    taken = parsed(load(Limited, {"TRIES": text}).tries)
    assert taken.amount > 0
    assert str(taken.amount) == text.split("/")[0]
    assert 0 < taken.get_expiry() < 86_400
