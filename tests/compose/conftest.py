"""One installation in containers for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.compose.stack import Stack

RUN = os.environ.get("VSSID_COMPOSE_RUN", ".run/test-compose")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Up with everything, removed with its data at the end."""
    stack = Stack(RUN)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
