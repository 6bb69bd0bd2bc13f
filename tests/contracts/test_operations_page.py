"""The page on operations: which limits the load balancer's address makes one for all."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from shared.settings import describe

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SERVICES = ("registration", "identity", "notification", "history", "gateway")
OF_A_PLACE = ("PER_ADDRESS", "PER_NETWORK", "ADDRESS_LIMIT")
OF_AN_E_MAIL_ADDRESS = {"EMAIL_OTP_ADDRESS_LIMIT"}
ALSO_BY_ADDRESS = {"LOG_IN_TRIES", "EMAIL_RESET_LIMIT"}
"""Of one user as from one address."""


def limits_of_places() -> set[str]:
    every = {
        setting.variable
        for name in SERVICES
        for setting in describe(importlib.import_module(f"services.{name}.settings").Settings)
    }
    assert every >= OF_AN_E_MAIL_ADDRESS | ALSO_BY_ADDRESS, "an exception is of a setting that is gone"
    return {name for name in every if name.endswith(OF_A_PLACE)} - OF_AN_E_MAIL_ADDRESS | ALSO_BY_ADDRESS


def unnamed(page: str) -> set[str]:
    """Limits of which the section does not say what becomes of them."""
    section = page.split("### Behind a load balancer\n")[1].split("\n## ")[0]
    return limits_of_places() - set(re.findall(r"`([A-Z_]+)`", section))


def test_every_limit_of_an_address_or_network_is_named_behind_a_load_balancer() -> None:
    assert unnamed(PAGE.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("name", ["LOG_IN_TRIES_PER_NETWORK", "TAKEN_ADDRESS_LIMIT", "LOG_IN_TRIES"])
def test_one_that_is_left_out_there_is_seen(name: str) -> None:
    assert unnamed(PAGE.read_text(encoding="utf-8").replace(f"`{name}`", "")) == {name}
