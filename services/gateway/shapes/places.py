"""Shapes of agencies, administrative units and the text of consent."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from services.gateway.shapes.parsing import Query, degrees, text


class AgencyQuery(Query):
    province_code = text("only agencies of this province")
    commune_code = text("the agencies of the commune's province, nearest to the commune first")
    q = text("a part of the name, with or without diacritics", example="dong da")
    latitude = degrees(90, "with longitude: the nearest agencies first, with distance_metres")
    longitude = degrees(180, "with latitude")

    @validates_schema
    def refuse_half_a_place(self, data: dict[str, Any], **_: Any) -> None:
        """Raises ``ValidationError``."""
        if ("latitude" in data) != ("longitude" in data):
            absent = "longitude" if "latitude" in data else "latitude"
            raise ValidationError("Missing data for required field.", absent)


class UnitQuery(Query):
    parent = text("code of the province; without it, the provinces")
    on = fields.Date(
        metadata={
            "description": "as it was that day; with districts until June 2025",
            "examples": ["2025-06-30"],
        }
    )


class ConsentQuery(Query):
    version = text("a version of the text; without it, the one in force", example="2026-01")
    language = text("vi or en; without it vi", example="vi")


class AgencyItem(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    display_name = fields.String()
    address = fields.String()
    province_code = fields.String()
    commune_code = fields.String()
    latitude = fields.Float(allow_none=True)
    longitude = fields.Float(allow_none=True)
    opening_hours = fields.String(
        allow_none=True,
        metadata={
            "description": "as OpenStreetMap writes them",
            "examples": ["Mo-Fr 07:30-16:30"],
        },
    )
    valid_from = fields.String(allow_none=True, metadata={"format": "date"})
    valid_to = fields.String(allow_none=True, metadata={"format": "date", "description": "the last day"})
    distance_metres = fields.Integer(allow_none=True, metadata={"description": "from the place asked about"})


class Agencies(Schema):
    items = fields.List(fields.Nested(AgencyItem), required=True)


class Unit(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String()
    parent = fields.String(allow_none=True)
    valid_from = fields.String(allow_none=True, metadata={"format": "date"})
    valid_to = fields.String(allow_none=True, metadata={"format": "date", "description": "the last day"})
    successors = fields.List(
        fields.String(), metadata={"description": "codes of today's units on the ground of a former one"}
    )


class Units(Schema):
    items = fields.List(fields.Nested(Unit), required=True)


class ConsentText(Schema):
    version = fields.String(required=True, metadata={"description": "goes back as consent_version"})
    language = fields.String(required=True)
    text = fields.String(required=True)
    sha256 = fields.String(required=True, metadata={"description": "of the text in UTF-8"})
    in_force = fields.Boolean(required=True)
