"""What the doctor says of keys."""

from __future__ import annotations

import pytest

from deploy.vssid.checks_of_keys import token_keys


def key(kid: str, **parts: str) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": f"x of {kid}", **parts}


SIGNING = key("a", d="private")


def states(signing: dict[str, str], *published: dict[str, str]) -> list[str]:
    return [finding.state for finding in token_keys(signing, list(published))]


def test_one_key_that_signs_and_is_published_is_well():
    assert states(SIGNING, key("a")) == ["well"]


def test_a_former_key_is_worth_knowing():
    assert states(SIGNING, key("a"), key("b")) == ["note"]


@pytest.mark.parametrize(
    "published",
    [
        [key("b")],
        [],
        [key("a", x="another")],
        [key("a"), key("a")],
        [key("a", d="private")],
        [key("a"), key("b", crv="X25519")],
    ],
)
def test_keys_with_which_something_fails_are_wrong(published):
    assert "wrong" in states(SIGNING, *published)
