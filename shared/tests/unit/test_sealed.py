"""Sealed boxes: only the receiver reads them."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sealed import SealBroken, Sealer, SealKeyInvalid, generate_keypair

IDENTITY = generate_keypair()
OTHER = generate_keypair()
SENDER = Sealer({"identity": IDENTITY.public, "history": ""})
RECEIVER = Sealer({}, IDENTITY.private)


@given(st.text(st.characters(codec="utf-8")))
def test_the_receiver_opens_what_was_sealed_to_it(text: str) -> None:
    assert RECEIVER.open(SENDER.seal("identity", text)) == text


def test_nobody_else_opens_it() -> None:
    with pytest.raises(SealBroken):
        Sealer({}, OTHER.private).open(SENDER.seal("identity", "x"))


def test_the_text_does_not_show_and_two_seals_differ() -> None:
    one, other = SENDER.seal("identity", "mật khẩu"), SENDER.seal("identity", "mật khẩu")
    assert one != other
    assert "mật khẩu".encode() not in base64.b64decode(one)


@given(st.binary(max_size=80))
def test_what_is_not_a_seal_is_refused(raw: bytes) -> None:
    with pytest.raises(SealBroken) as caught:
        RECEIVER.open(base64.b64encode(raw).decode())
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("sealed", ["", "not base64 é", "AAAA\n", None, 5])
def test_what_is_not_base64_is_refused(sealed: str) -> None:
    with pytest.raises(SealBroken):
        RECEIVER.open(sealed)


@given(st.integers(0, 10_000))
def test_a_changed_seal_is_refused(position: int) -> None:
    raw = bytearray(base64.b64decode(SENDER.seal("identity", "secret")))
    raw[position % len(raw)] ^= 1
    with pytest.raises(SealBroken):
        RECEIVER.open(base64.b64encode(raw).decode())


@pytest.mark.parametrize("service", ["history", "nobody"])
def test_sealing_to_a_service_without_key_names_the_variable(service: str) -> None:
    with pytest.raises(SealKeyInvalid, match=f"SEAL_PUBLIC_{service.upper()} is missing"):
        SENDER.seal(service, "x")


def test_opening_without_a_private_key_names_the_variable() -> None:
    with pytest.raises(SealKeyInvalid, match="SEAL_PRIVATE is missing"):
        SENDER.open(SENDER.seal("identity", "x"))


@pytest.mark.parametrize(
    "key",
    ["short", "é", base64.b64encode(b"x" * 31).decode(), IDENTITY.private + "A"],
    ids=["short", "not ASCII", "31 bytes", "one letter more"],
)
def test_a_malformed_key_is_named_and_not_shown(key: str) -> None:
    with pytest.raises(SealKeyInvalid, match="SEAL_PUBLIC_IDENTITY is malformed") as public:
        Sealer({"identity": key})
    with pytest.raises(SealKeyInvalid, match="SEAL_PRIVATE is malformed") as private:
        Sealer({}, key)
    assert key not in f"{public.value} {private.value}"


def test_the_keys_come_from_the_settings() -> None:
    settings = SimpleNamespace(
        seal_public_identity=IDENTITY.public, seal_public_gateway="", seal_private=IDENTITY.private
    )
    sealer = Sealer.from_settings(settings)
    assert sealer.open(sealer.seal("identity", "x")) == "x"
    with pytest.raises(SealKeyInvalid):
        sealer.seal("gateway", "x")


def test_a_pair_does_not_show_its_private_key() -> None:
    assert IDENTITY.private not in repr(IDENTITY)
