"""Settings from the environment: declared as a frozen dataclass, read once at start, refused all at once.

A field ``visit_deadline_days: int = 30`` is the variable ``VISIT_DEADLINE_DAYS``, or the content of the
file that ``VISIT_DEADLINE_DAYS_FILE`` names. Metadata of a field:

- ``help``: one sentence for the operator;
- ``secret``: never shown by ``repr`` (also assumed from names such as ``smpp_password``);
- ``choices``, ``least``, ``most``: what is accepted; ``limit`` declares a rate limit.

Addresses of servers come out as ``shared.tls`` wants them: verified by ``TLS_CA_FILE`` where it is given.

>>> @dataclass(frozen=True)
... class Settings(CommonSettings):
...     visit_deadline_days: int = field(default=30, metadata={"help": "Days for the visit.", "least": 1})
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from environs import Env, EnvError

from shared import tls

Declared = TypeVar("Declared", bound="FromEnvironment")

SERVER_URL = r"(^|_)(amqp|amqp_management|database|redis|postgres_admin)_url$"
SECRET_NAME = re.compile(rf"(^|_)(password|token|secret|private|key)(_|$)|{SERVER_URL}")
UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
LIMIT = re.compile(rf"[1-9][0-9]*/((?P<times>[1-9][0-9]*) ?)?(?P<unit>{'|'.join(UNITS)})s?")
EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text that is not empty",
    list: "values separated by commas",
    tuple: "values separated by commas",
}


class Secret(str):
    """A text whose ``repr`` hides it; everywhere else it is that text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True)
class FromEnvironment:
    """What can be loaded: hides its secrets however it was made."""

    tls_ca_file: str = field(
        default="",
        kw_only=True,
        metadata={
            "help": "File with the CA (PEM) of broker, databases and Redis. With it each must be reached by"
            " TLS (amqps, https, rediss; PostgreSQL with verify-full) and is verified."
        },
    )

    def __post_init__(self) -> None:
        for declared in fields(self):
            value = getattr(self, declared.name)
            if _is_secret(declared) and isinstance(value, str):
                object.__setattr__(self, declared.name, Secret(value))


def limit(default: str, help: str) -> str:
    """A field for how often something may happen over a moving window of a day at the most: ``10/minute``,
    ``3/2 hours``."""
    declared: str = field(default=default, metadata={"help": help, "limit": True})
    return declared


def _seal_public(service: str) -> str:
    return field(default="", metadata={"help": f"Public key of {service} (X25519, base64)."})


@dataclass(frozen=True, kw_only=True)
class CommonSettings(FromEnvironment):
    """What every process has. Only who seals or opens needs the keys for it (``shared/sealed.py``)."""

    amqp_url: str = field(metadata={"help": "The message broker: amqp(s)://user:password@host:port/vhost."})
    ops_port: int = field(
        metadata={"help": "Port of /healthz, /readyz and /metrics.", "least": 0, "most": 65535}
    )
    ops_host: str = field(default="127.0.0.1", metadata={"help": "Address on which the ops port listens."})
    log_level: str = field(
        default="INFO",
        metadata={"help": "Least level that is logged.", "choices": ("DEBUG", "INFO", "WARNING", "ERROR")},
    )
    otel_exporter_otlp_endpoint: str = field(
        default="",
        metadata={"help": "Collector of traces (OTLP over HTTP), http://host:4318; empty: none are sent."},
    )
    seal_private: str = field(
        default="", metadata={"help": "Own private key (X25519, base64), opens what was sealed to it."}
    )
    seal_public_registration: str = _seal_public("registration")
    seal_public_identity: str = _seal_public("identity")
    seal_public_notification: str = _seal_public("notification")
    seal_public_history: str = _seal_public("history")
    seal_public_gateway: str = _seal_public("gateway")


@dataclass(frozen=True, kw_only=True)
class ServiceSettings(CommonSettings):
    """What every service has besides: a database of its own."""

    database_url: str = field(
        metadata={"help": "The service's own PostgreSQL database: postgresql://user:password@host:port/name."}
    )
    database_pool_size: int = field(
        default=10, metadata={"help": "Database connections of one replica, at the most.", "least": 2}
    )


@dataclass(frozen=True)
class SettingProblem:
    """One variable that is missing or wrong. Holds what would be right, never the value that was given."""

    variable: str
    reason: str
    expected: str
    help: str


class SettingsInvalid(Exception):
    """Some settings are missing or malformed; ``problems`` names all of them."""

    def __init__(self, problems: tuple[SettingProblem, ...]) -> None:
        self.problems = problems
        lines = [
            f"  {p.variable} (or {p.variable}_FILE): {p.reason}; expected {p.expected}. {p.help}".rstrip()
            for p in problems
        ]
        super().__init__("\n".join(["These settings are missing or wrong:", *lines]))


@dataclass(frozen=True)
class Setting:
    """One row of the settings table. ``default`` is None when the variable is required."""

    variable: str
    kind: str
    required: bool
    default: str | None
    secret: bool
    help: str


def load(cls: type[Declared], environ: Mapping[str, str] = os.environ) -> Declared:
    """An instance of ``cls`` from ``environ``. An empty variable counts as not set.

    Raises ``SettingsInvalid`` naming every variable that is missing or malformed.
    """
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    problems: list[SettingProblem] = []
    for declared in fields(cls):
        kind, item_kind = _kind(hints[declared.name])
        try:
            text = _text(declared.name.upper(), environ)
            if text is not None:
                values[declared.name] = _checked(declared, _parsed(text, kind, item_kind))
            elif _is_required(declared):
                raise _Wrong("missing")
        except _Wrong as wrong:
            problems.append(
                SettingProblem(
                    variable=declared.name.upper(),
                    reason=str(wrong),
                    expected=_expected(declared, kind),
                    help=declared.metadata.get("help", ""),
                )
            )
    problems = problems or _secure(values)
    if problems:
        raise SettingsInvalid(tuple(problems))
    return cls(**values)


def _secure(values: dict[str, Any]) -> list[SettingProblem]:
    """Put the CA into each server's address; tells what cannot be verified."""
    ca_file, problems = values.get("tls_ca_file", ""), []
    if ca_file:
        try:
            tls.context(ca_file)
        except OSError:
            wrong = "names a file that cannot be read as certificates"
            problems.append(SettingProblem("TLS_CA_FILE", wrong, "a file of certificates, PEM", help=""))
    for name in filter(re.compile(SERVER_URL).search, values):
        try:
            values[name] = tls.secured(values[name], ca_file)
        except tls.NotSecure as loose:
            expected = "an encrypted address without parameters of TLS"
            problems.append(SettingProblem(name.upper(), str(loose), expected, help=""))
    return problems


def describe(cls: type[FromEnvironment]) -> list[Setting]:
    """Every variable that ``load(cls)`` reads, in the order declared."""
    hints = get_type_hints(cls)
    return [
        Setting(
            variable=declared.name.upper(),
            kind=_expected(declared, _kind(hints[declared.name])[0]),
            required=_is_required(declared),
            default=_shown_default(declared),
            secret=_is_secret(declared),
            help=declared.metadata.get("help", ""),
        )
        for declared in fields(cls)
    ]


class _Wrong(Exception):
    """What is wrong with one variable, without its value."""


class _OneValue(Env):
    """Environs' parsers on one given text instead of the process's environment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def _get_value(self, env_key: str, default: Any) -> str:
        return self.text


def _text(variable: str, environ: Mapping[str, str]) -> str | None:
    given, path = environ.get(variable, ""), environ.get(f"{variable}_FILE", "")
    if given and path:
        raise _Wrong(f"given twice, remove {variable} or {variable}_FILE")
    if path:
        try:
            given = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise _Wrong(f"{variable}_FILE names a file that cannot be read as text") from None
        if not given:
            raise _Wrong(f"{variable}_FILE names an empty file")
    return given or None


def _kind(annotation: Any) -> tuple[type, type]:
    """The type to parse, and the type of its items when it is a list or tuple: ``int | None`` is an int."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = [a for a in get_args(annotation) if a is not NoneType]
    kind = get_origin(annotation) or annotation
    if kind not in EXPECTED:
        raise TypeError(f"a setting cannot be of type {annotation!r}")
    items = [a for a in get_args(annotation) if a is not Ellipsis]
    return kind, items[0] if items else str


def _parsed(text: str, kind: type, item_kind: type) -> Any:
    try:
        if kind in (list, tuple):
            items = [item.strip() for item in text.split(",") if item.strip()]
            return kind(_parsed(item, item_kind, str) for item in items)
        return getattr(_OneValue(text), kind.__name__)("VALUE")
    except EnvError:
        raise _Wrong("malformed") from None


def _checked(declared: Field[Any], value: Any) -> Any:
    choices, least, most = (declared.metadata.get(name) for name in ("choices", "least", "most"))
    if declared.metadata.get("limit") and not _is_limit(value):
        raise _Wrong("malformed")
    if choices is not None and value not in choices:
        raise _Wrong("not one of the choices")
    if (least is not None and value < least) or (most is not None and value > most):
        raise _Wrong("out of range")
    return value


def _is_limit(text: str) -> bool:
    """Whether it counts something, over no more than a day: nothing that is counted is kept longer."""
    found = LIMIT.fullmatch(text)
    return found is not None and int(found["times"] or 1) * UNITS[found["unit"]] <= UNITS["day"]


def _expected(declared: Field[Any], kind: type) -> str:
    choices, least, most = (declared.metadata.get(name) for name in ("choices", "least", "most"))
    if choices is not None:
        return "one of " + ", ".join(str(choice) for choice in choices)
    if declared.metadata.get("limit"):
        return "a rate, such as 10/minute or 3/2 hours, over a day at the most"
    bounds = [f"at least {least}"] * (least is not None) + [f"at most {most}"] * (most is not None)
    return " ".join([EXPECTED[kind], *([", ".join(bounds)] if bounds else [])])


def _is_required(declared: Field[Any]) -> bool:
    return declared.default is MISSING and declared.default_factory is MISSING


def _is_secret(declared: Field[Any]) -> bool:
    by_name = SECRET_NAME.search(declared.name) and "str" in str(declared.type)
    return bool(declared.metadata.get("secret", by_name))


def _shown_default(declared: Field[Any]) -> str | None:
    if _is_required(declared):
        return None
    if _is_secret(declared):
        return ""
    make = declared.default_factory
    default = declared.default if make is MISSING else make()
    return ",".join(map(str, default)) if isinstance(default, list | tuple) else str(default)


def table(cls: type[FromEnvironment]) -> str:
    """The settings of one process as a Markdown table."""
    rows = ["| variable | value | default | meaning |", "| --- | --- | --- | --- |"]
    for row in describe(cls):
        default = "**required**" if row.required else f"`{row.default}`" if row.default else "–"
        rows.append(f"| `{row.variable}` | {row.kind} | {default} | {row.help} |")
    return "\n".join(rows)


def main() -> None:
    """Print the settings of every process, for ``docs/settings.md``."""
    print(
        "# Settings\n\nGenerated by `make docs`. `NAME_FILE` may name a file that holds the value of `NAME`."
    )
    for name in ("registration", "identity", "notification", "history", "gateway"):
        settings = importlib.import_module(f"services.{name}.settings").Settings
        print(f"\n## {name}\n\n{table(settings)}")


if __name__ == "__main__":
    main()
