"""What a service answers reaches whom it is for: the gateway's shapes leave out what they do not name."""

from __future__ import annotations

import pytest

from services.gateway.shapes import staff as shapes
from services.history import domain as history
from services.identity import refusals, views
from services.identity.tests.unit import samples


def test_an_officer_is_shown_all_of_a_case_that_identity_answers():
    assert set(views.case_view(samples.case())) <= set(shapes.Case().fields)


def test_a_list_of_cases_is_shown_whole():
    assert set(views.case_item(samples.case())) <= set(shapes.CaseItem().fields)


@pytest.mark.parametrize("refused", [refusals.PasswordChangeRequired, history.PasswordChangeRequired])
def test_who_has_to_change_a_password_is_told_what_is_true_of_whatever_issued_it(refused):
    """The first one by SMS, or another one of the hotline or the desk: they open the same session."""
    assert not [word for word in ("lần đầu", "first") if word in f"{refused.vi} {refused.en}".lower()]
    assert "được cấp" in refused.vi
    assert "issued" in refused.en


def test_both_services_that_have_a_password_changed_say_it_in_the_same_words():
    ours, theirs = refusals.PasswordChangeRequired, history.PasswordChangeRequired
    assert (ours.vi, ours.en) == (theirs.vi, theirs.en)
