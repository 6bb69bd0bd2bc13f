"""What other programs read of our schemas says what our schemas do."""

from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from shared.events import json_schema
from shared.events.fields import Count, Id, Part, Several, Text, schema_of

PARTS = {
    "id": Id(),
    "kind": Text(one_of=("sms", "email")),
    "note": Text(longest=5, optional=True),
    "choice": Text(one_of=("a",), optional=True),
    "rows": Count(),
    "many": Several(Part("Inner", {"a": Text()})),
}
SCHEMA = schema_of("Test", PARTS)
VALIDATOR = jsonschema.Draft7Validator(
    json_schema.of_schema(SCHEMA), format_checker=jsonschema.FormatChecker(["uuid"])
)

values = st.sampled_from(
    [None, "", "sms", "a", "01920000-0000-7000-8000-000000000001", "abcdef", [], {}, [{}], True]
) | st.sampled_from([[{"a": "x"}], [{"a": ""}], [{"a": "x", "b": 1}], [None], 0, 3, -1, 2.5])


RIGHT = {"id": "01920000-0000-7000-8000-000000000001", "kind": "sms", "rows": 3, "many": [{"a": "x"}]}


@given(
    st.dictionaries(st.sampled_from([*PARTS, "unknown"]), values, max_size=2),
    st.sets(st.sampled_from([*PARTS])),
)
def test_json_schema_and_marshmallow_agree_on_what_is_right(changed, removed):
    data = {name: value for name, value in (RIGHT | changed).items() if name not in removed}
    try:
        SCHEMA.load(data)
    except ValidationError:
        assert not VALIDATOR.is_valid(data)
    else:
        assert VALIDATOR.is_valid(data)


def test_a_field_of_another_kind_has_no_place_in_an_event():
    with pytest.raises(TypeError, match=r"shared\.events\.fields"):
        json_schema.of_field(fields.Raw())
