"""Copies of a registration: each has numbers and ids of its own, and refers to the same staff."""

import os
import subprocess
import sys

import pytest

from bench import earlier, registrations
from bench.earlier import Original
from bench.registrations import Cost
from shared.testing.citizen_client import Accepted
from shared.testing.citizens import generate

CITIZEN = generate(1, seed=1)[0]
STAFF, CASE = "01a20000-aaaa-7000-8000-000000000001", "01a21111-bbbb-7000-8000-000000000002"
ORIGINAL = Original(
    CITIZEN, Accepted(CASE, "TK-2026-000000007", "2026-12-26T00:00:00+00:00", [], 1), "completed"
)


def replaced(text):
    return dict(earlier._replacements(text, ORIGINAL))


def test_ids_are_replaced_but_for_those_of_staff():
    found = replaced(f'{{"id": "{CASE}", "staff_id": "{STAFF}"}}')

    assert found[CASE[:13]] == earlier.MOMENT
    assert STAFF[:13] not in found


@pytest.mark.parametrize("value", [CITIZEN.code, CITIZEN.personal_number, CITIZEN.phone[1:], CITIZEN.email])
def test_what_a_person_is_known_by_is_replaced(value):
    assert f"replace('{{\"it\": \"{value}\"}}', '{value}'" in earlier._copied(
        f'{{"it": "{value}"}}', ORIGINAL
    )


def test_the_day_of_the_original_is_replaced_and_its_deadline_stays():
    found = replaced('{"at": "2026-11-26T07:00:00+00:00", "deadline": "2026-12-26T07:00:00+00:00"}')

    assert "2026-11-26" in found
    assert "2026-12-26" not in found


def test_a_quote_in_a_row_ends_no_text():
    assert earlier._copied('{"name": "O\'Thử"}', ORIGINAL) == "'{\"name\": \"O''Thử\"}'"


def test_what_idling_costs_is_left_out():
    work, idle = Cost(100.0, 50.0, 30.0, 300.0), Cost(2.0, 1.0, 3.0, 10.0)

    assert work.less(idle, 5.0).over(10) == Cost(9.0, 4.5, 1.5, 25.0)


def test_the_cpu_of_a_child_counts():
    before = registrations.cpu_ms(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)

    assert registrations.cpu_ms(os.getpid()) - before >= 250
