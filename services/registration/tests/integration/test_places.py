"""Places and agencies, as the running service finds them."""

from __future__ import annotations

import pytest

from services.registration.tests.integration.office import Office

pytestmark = pytest.mark.usefixtures("matching_register")


@pytest.mark.proves("G8")
def test_places_are_searched_by_province_and_by_name(office: Office) -> None:
    (found,) = office.call("agencies", q="dong da")["items"]
    assert found["display_name"] == "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"
    assert found["opening_hours"] == "Mo-Fr 07:30-11:30,13:00-16:30"
    assert found["distance_metres"] is None
    assert len(office.call("administrative_units")["items"]) == 34
    units = {unit["code"]: unit for unit in office.call("administrative_units", parent="01")["items"]}
    ba_dinh = units["00004"]
    assert (ba_dinh["name"], ba_dinh["parent"], ba_dinh["valid_from"]) == (
        "Phường Ba Đình",
        "01",
        "2025-07-01",
    )
    assert len(office.call("administrative_units", on="2025-06-30")["items"]) == 63


@pytest.mark.proves("G8")
def test_the_nearest_agencies_of_a_place_and_of_a_commune_come_first(office: Office) -> None:
    found = office.call("agencies", latitude=21.0, longitude=105.8)["items"]
    away = [agency["distance_metres"] for agency in found]
    assert (len(found), found[0]["code"], away) == (20, "S001", sorted(away))
    of_commune = office.call("agencies", commune_code="00004")["items"]
    assert {agency["province_code"] for agency in of_commune} == {"01"}
    assert of_commune[0]["code"] == "S001"
    assert 1_000 < of_commune[0]["distance_metres"] < 10_000
    everywhere = office.call("agencies")["items"]
    for half in (
        {"latitude": 21.0},
        {"latitude": "north", "longitude": 105.8},
        {"latitude": 91, "longitude": 1},
    ):
        assert office.call("agencies", **half)["items"] == everywhere
