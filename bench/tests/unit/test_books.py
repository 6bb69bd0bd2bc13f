"""A run that lost or doubled something does not count: the books that decide it can fail."""

from collections import Counter

import pytest

from bench.arena import Books, Broken


def books(rows=(0, 1, 2), published=(0, 1, 2), handled=3, left=0):
    return Books(Counter(rows), Counter(published), handled, left)


def test_each_item_once_is_in_order():
    books().check(range(3))


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (books(rows=(0, 2)), "rows: 1 lost, 0 doubled, 0 unasked"),
        (books(rows=(0, 1, 1, 2)), "rows: 0 lost, 1 doubled, 0 unasked"),
        (books(published=(0, 1)), "events: 1 lost, 0 doubled, 0 unasked"),
        (books(published=(0, 1, 2, 2)), "events: 0 lost, 1 doubled, 0 unasked"),
        (books(rows=(0, 1, 2, 9)), "rows: 0 lost, 0 doubled, 1 unasked"),
        (books(handled=2), "inbox holds 2 of 3"),
        (books(left=1), "1 left in outbox or queue"),
    ],
)
def test_whatever_is_lost_or_doubled_breaks_the_run(found, complaint):
    with pytest.raises(Broken, match=complaint):
        found.check(range(3))
