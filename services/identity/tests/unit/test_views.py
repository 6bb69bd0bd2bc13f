"""What callers get."""

from __future__ import annotations

from services.identity import views
from services.identity.tests.unit import samples


def test_the_officers_view_does_not_say_where_the_photos_lie() -> None:
    view = views.case_view(samples.case(), None)
    assert view["photos"] == [{"kind": "portrait", "sha256": "ab" * 32}]
    assert "photos/0192" not in repr(view)
