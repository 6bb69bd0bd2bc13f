"""A file of places is taken whole or not at all; each wrong line says what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration import places
from services.registration.places import FileWrong, agencies_in, opening_hours, units_in

PARENTS = {"01": None, "79": None, "00004": "01", "26740": "79"}
LATER = ",opening_hours,valid_from,valid_to,successor"
HEADER = f"code,name,province_code,commune_code,address,latitude,longitude{LATER}"
GOOD = 'B1,BHXH cơ sở Ba Đình,01,00004,"Số 1, phố Giả Định",21.03,105.83,"Mo-Fr 07:30-11:30,13:00-16:30",,,'


def problems(tmp_path: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> list[str]:
    file = tmp_path / "agencies.csv"
    file.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    try:
        agencies_in(file, PARENTS, known=frozenset({"S001"}))
    except FileWrong as wrong:
        return wrong.problems
    return []


@pytest.mark.proves("G8")
def test_a_file_of_agencies_is_read(tmp_path: Path) -> None:
    file = tmp_path / "agencies.csv"
    merged = "B2,BHXH cơ sở Cũ,01,00004,Số 2,21,105.8,,2025-07-01,2026-01-31,B1"
    file.write_text("\ufeff" + "\n".join([HEADER, GOOD, "", merged]), encoding="utf-8")
    one, other = agencies_in(file, PARENTS, known=frozenset())
    assert (one["code"], one["latitude"], one["valid_to"]) == ("B1", 21.03, None)
    assert one["searched_name"] == "bhxh co so ba dinh"
    assert (other["successor"], str(other["valid_to"]), other["opening_hours"]) == ("B1", "2026-01-31", None)


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ("B1", "b 1", "line 3: code: up to 20 capital letters and digits"),
        ("B1", "B0", "line 3: code: each code once"),
        ("BHXH cơ sở Ba Đình", "", "line 3: name: 1 to 300 characters"),
        (",01,", ",1,", "line 3: province_code: the 2 digits"),
        (",01,", ",02,", "line 3: province_code: the code of a province"),
        (",00004,", ",26740,", "line 3: commune_code: the code of a commune of the province 01"),
        ("21.03", "105.83", "line 3: latitude: degrees, 6 to 24"),
        ("105.83", "east", "line 3: longitude: degrees, 102 to 118"),
        ("21.03", "nan", "line 3: latitude: degrees"),
        ("07:30-11:30", "11:30-07:30", "line 3: opening_hours"),
        ("Mo-Fr", "Monday", "line 3: opening_hours"),
        (",,,", ",01/07/2025,,", "line 3: valid_from: a day, as 2025-07-01"),
        (",,,", ",2026-01-01,2025-01-01,", "line 3: valid_to: not before valid_from"),
        (",,,", ",,2026-01-01,B9", "line 3: successor: the code of another agency"),
        (",,,", ",,2026-01-01,B1", "line 3: successor: the code of another agency"),
        (",,,", ",,,S001", "line 3: successor: the code of another agency, beside a last day"),
        (",,,", ",,", "line 3: 11 cells, as line 1 has; here are 10"),
        ('"Số 1', '"Số "1', "line 3: "),
    ],
)
def test_a_wrong_line_is_told_by_its_number_and_what_would_be_right(
    tmp_path: Path, was: str, now: str, says: str
) -> None:
    first = GOOD.replace("B1", "B0")
    assert problems(tmp_path, first, GOOD) == []
    (told,) = problems(tmp_path, first, GOOD.replace(was, now))
    assert told.startswith(says)


def test_every_wrong_line_is_told(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace("21.03", "x"), GOOD.replace("105.83", "y"))
    assert [said.split(": ")[:2] for said in told] == [
        ["line 2", "latitude"],
        ["line 3", "code"],
        ["line 3", "longitude"],
    ]


def test_another_encoding_and_other_columns_are_told(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD, encoding="utf-16")[0].startswith("line 1: the file is to be in UTF-8")
    for header in ("code,name", HEADER + ",more", HEADER + ",code", ""):
        assert problems(tmp_path, header=header)[0].startswith("line 1: the columns are code, name")


def test_the_columns_that_came_later_may_be_left_out(tmp_path: Path) -> None:
    header = HEADER.removesuffix(LATER)
    assert problems(tmp_path, "B1,BHXH,01,00004,Số 1,21,105", header=header) == []


def test_a_commune_needs_its_province(tmp_path: Path) -> None:
    file = tmp_path / "units.csv"
    file.write_text(
        "code,name,kind,parent\n00004,Ba Đình,phường,01\n01,Hà Nội,thành phố,\n", encoding="utf-8"
    )
    assert [row["code"] for row in units_in(file, known=())] == ["01", "00004"]
    file.write_text(
        "code,name,kind,parent\n00004,Ba Đình,phường,02\n01,Hà Nội,thành phố,02\n", encoding="utf-8"
    )
    with pytest.raises(FileWrong) as wrong:
        units_in(file, known=())
    assert [said.split(":")[0] for said in wrong.value.problems] == ["line 2", "line 3"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (HEADER + "\n" + text).encode()))
def test_whatever_a_file_holds_it_is_read_or_told_by_lines(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "anything.csv"
    file.write_bytes(content)
    told: list[str] = []
    try:
        assert agencies_in(file, PARENTS, known=()) == []
    except FileWrong as wrong:
        told = wrong.problems
    assert all(said.startswith("line ") for said in told)


TIMES = st.times().map(lambda at: at.strftime("%H:%M"))
SPANS = st.tuples(TIMES, TIMES).filter(lambda span: span[0] < span[1]).map("-".join)
DAYS = st.sampled_from(["Mo-Fr", "Sa", "Mo,We", "Mo-We,Fr"])
RULES = st.tuples(DAYS, st.lists(SPANS, min_size=1, max_size=2).map(",".join)).map(" ".join)


@given(st.lists(RULES, min_size=1, max_size=3).map("; ".join))
def test_opening_hours_are_kept_as_they_are_written(hours: str) -> None:
    assert opening_hours(hours) == hours


def test_the_shipped_places_are_right_and_whole() -> None:
    units = units_in(places.UNITS, known=())
    kinds = [unit["kind"] for unit in units]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "tỉnh": 28, "thành phố": 6, "xã": 2621, "phường": 687, "đặc khu": 13,
    }  # fmt: skip
    parents = {unit["code"]: unit["parent"] for unit in units}
    agencies = agencies_in(places.AGENCIES, parents, known=())
    assert {agency["province_code"] for agency in agencies} == {u["code"] for u in units if not u["parent"]}
    assert all(agency["opening_hours"] for agency in agencies)
    former = [line.split(",")[-1].split() for line in places.FORMER_UNITS.read_text().splitlines()[1:]]
    assert len(former) == 63 + 696 + 10_035
    assert {code for codes in former for code in codes} == set(parents)
