"""What a service answers reaches whom it is for: the gateway's shapes leave out what they do not name."""

from __future__ import annotations

from services.gateway.shapes import staff as shapes
from services.identity import views
from services.identity.tests.unit import samples


def test_an_officer_is_shown_all_of_a_case_that_identity_answers():
    assert set(views.case_view(samples.case())) <= set(shapes.Case().fields)


def test_a_list_of_cases_is_shown_whole():
    assert set(views.case_item(samples.case())) <= set(shapes.CaseItem().fields)
