"""Agencies to visit, and how far they are. Part of the domain: standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

EARTH_RADIUS_METRES = 6_371_009


@dataclass(frozen=True)
class Point:
    """A place on the map, in degrees."""

    latitude: float
    longitude: float


def metres_between(one: Point, other: Point) -> int:
    """The way of a bird, on a ball."""
    north, other_north = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(other.longitude - one.longitude)
    half_chord = (
        math.sin((other_north - north) / 2) ** 2
        + math.cos(north) * math.cos(other_north) * math.sin(east / 2) ** 2
    )
    return round(2 * EARTH_RADIUS_METRES * math.asin(min(1.0, math.sqrt(half_chord))))


@dataclass(frozen=True)
class Agency:
    """An agency to visit, as the citizen sees it. ``opening_hours`` are as OpenStreetMap writes them.

    It is offered from ``valid_from`` to ``valid_to``, both included; one that was closed or merged into its
    ``successor`` (a code) keeps the applications that chose it.
    """

    code: str
    name: str
    province_code: str
    commune_code: str
    address: str
    latitude: float
    longitude: float
    opening_hours: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    successor: str | None = None

    def is_offered(self, on: date) -> bool:
        """Whether it may be chosen that day."""
        return (self.valid_from or on) <= on <= (self.valid_to or on)

    @property
    def point(self) -> Point:
        return Point(self.latitude, self.longitude)

    @property
    def display_name(self) -> str:
        """``(001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa``"""
        return f"({self.code}) {self.name}"
