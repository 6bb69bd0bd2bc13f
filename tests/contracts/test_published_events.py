"""An event once published stays: samples of every version still load, and no schema is changed under them.

``published/<type>.json`` is the schema as it was first published; ``samples/<type>[.<case>].json`` are data
of that version. Both are kept for ever. A breaking change is a new version: ``identity.verified.v2``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shared.events import json_schema
from shared.events.catalogue import EVENT_TYPES
from shared.events.envelope import REGISTRY, EventType
from shared.events.fields import Count, Id, Moment, Part, Several, Text

HERE = Path(__file__).parent
SAMPLES = sorted((HERE / "samples").glob("*.json"))
PUBLISHED = sorted((HERE / "published").glob("*.json"))

JsonSchema = dict[str, Any]


def type_of(sample: Path) -> str:
    """``registration.submitted.v1.child.json`` -> ``registration.submitted.v1``."""
    return ".".join(sample.stem.split(".")[:3])


def breaks(old: JsonSchema, new: JsonSchema, at: str = "data") -> Iterator[str]:
    """What a listener or a publisher of the old schema could stumble over in the new one."""
    before, after = old.get("properties", {}), new.get("properties", {})
    yield from (f"{at}.{name} is gone" for name in before.keys() - after.keys())
    yield from (
        f"{at}.{name} is required now" for name in set(new.get("required", ())) - set(old.get("required", ()))
    )
    yield from (
        f"{at}.{name} is optional now" for name in set(old.get("required", ())) - set(new.get("required", ()))
    )
    for name in before.keys() & after.keys():
        yield from breaks(before[name], after[name], f"{at}.{name}")
    if "items" in old and "items" in new:
        yield from breaks(old["items"], new["items"], f"{at}[]")
    for rule in ("type", "enum", "format", "minLength", "maxLength", "minimum"):
        if old.get(rule) != new.get(rule):
            yield f"{at} has another {rule}"


def lost(sent: Any, read: Any, at: str = "data") -> Iterator[str]:
    """The fields of a sample that reading left out or made into something else."""
    if isinstance(sent, dict):
        for name, value in sent.items():
            if name in read:
                yield from lost(value, read[name], f"{at}.{name}")
            else:
                yield f"{at}.{name}"
    elif isinstance(sent, list):
        for index, (one, other) in enumerate(zip(sent, read, strict=True)):
            yield from lost(one, other, f"{at}[{index}]")
    elif sent != read:
        yield at


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_still_loads_and_loses_nothing(sample):
    data = json.loads(sample.read_text())
    schema = REGISTRY[type_of(sample)].schema
    assert list(lost(data, schema.dump(schema.load(data)))) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_fits_the_json_schema_that_others_read(sample):
    schema = json_schema.of_schema(REGISTRY[type_of(sample)].schema)
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
        json.loads(sample.read_text())
    )


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.name)
def test_every_event_has_a_sample_and_its_published_schema(event_type):
    assert event_type.name in {type_of(path) for path in SAMPLES}
    assert event_type.name in {path.stem for path in PUBLISHED}


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda path: path.stem)
def test_no_published_event_is_gone_or_broken(published):
    event_type = REGISTRY[published.stem]
    assert list(breaks(json.loads(published.read_text()), json_schema.of_schema(event_type.schema))) == []


# --- the checks above can fail -------------------------------------------------------------------

CHANGES: dict[str, Any] = {
    "a field removed": lambda parts: parts.pop("at"),
    "a field renamed": lambda parts: parts.update(when=parts.pop("at")),
    "a text made a number": lambda parts: parts.update(code=Count()),
    "a time made a text": lambda parts: parts.update(at=Text()),
    "an id made a text": lambda parts: parts.update(id=Text()),
    "a required field made optional": lambda parts: parts.update(code=Text(longest=12, optional=True)),
    "an optional field made required": lambda parts: parts.update(note=Text()),
    "a new field required": lambda parts: parts.update(extra=Text()),
    "a text made shorter": lambda parts: parts.update(code=Text(longest=10)),
    "a choice taken away": lambda parts: parts.update(kind=Text(one_of=("sms",))),
    "a field of a part removed": lambda parts: parts.update(inner=Part("Inner", {"a": Text()})),
    "a list of something else": lambda parts: parts.update(many=Several(Id())),
}


def parts() -> dict[str, Any]:
    return {
        "id": Id(),
        "code": Text(longest=12),
        "kind": Text(one_of=("sms", "email")),
        "at": Moment(),
        "note": Text(optional=True),
        "inner": Part("Inner", {"a": Text(), "b": Count()}),
        "many": Several(Text()),
    }


def published_schema(changed: dict[str, Any]) -> JsonSchema:
    event_type = EventType("test.changed.v1", changed)
    del REGISTRY["test.changed.v1"]
    return json_schema.of_schema(event_type.schema)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_would_break_a_listener_is_seen(change):
    changed = parts()
    CHANGES[change](changed)
    assert list(breaks(published_schema(parts()), published_schema(changed)))


def test_a_new_optional_field_breaks_nobody():
    assert (
        list(breaks(published_schema(parts()), published_schema(parts() | {"extra": Text(optional=True)})))
        == []
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_whose_field_was_removed_from_the_schema_is_seen(sample):
    data = json.loads(sample.read_text())
    schema = copy.deepcopy(REGISTRY[type_of(sample)].schema)
    for name in data:
        shorter = copy.copy(schema)
        shorter.load_fields = {key: field for key, field in schema.load_fields.items() if key != name}
        assert f"data.{name}" in list(lost(data, shorter.dump(shorter.load(data))))
