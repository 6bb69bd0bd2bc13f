"""Short messages as they stand on the wire."""

import pytest
from smpplib.gsm import gsm_encode

from deploy.stand_ins.smsc.texts import Place, Unreadable, decode, place_by_header, place_by_tlvs


def test_every_character_of_the_gsm_alphabet_comes_back() -> None:
    letters = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¡ÄÖÑÜ¿äöñüà"
    signs = " !\"#¤%&'()*+,-./0123456789:;<=>?^{}\\[~]|€"
    assert decode(gsm_encode(letters + signs), 0) == letters + signs
    assert decode(b"\x5f", 0) == "§"  # which the client's library does not know


def test_vietnamese_is_read_from_ucs_2() -> None:
    assert decode("Mật khẩu của bạn".encode("utf-16-be"), 8) == "Mật khẩu của bạn"


@pytest.mark.parametrize(
    ("octets", "data_coding"),
    [(b"\x80", 0), (b"\x1b", 0), (b"\x1bA", 0), (b"\xff", 1), (b"a", 8), (b"\xd8\x00", 8), (b"a", 4)],
)
def test_what_is_no_text_is_not_read(octets: bytes, data_coding: int) -> None:
    with pytest.raises(Unreadable):
        decode(octets, data_coding)


@pytest.mark.parametrize(
    ("header", "place"),
    [
        (b"\x05\x00\x03\x2a\x03\x02", Place(0x2A, 3, 2)),
        (b"\x06\x08\x04\x01\x02\x03\x01", Place(0x0102, 3, 1)),
        (b"\x0b\x05\x04\x0b\x84\x0b\x84\x00\x03\x2a\x02\x01", Place(0x2A, 2, 1)),  # after an application port
        (b"\x05\x00\x03\x2a\x02\x03", Place()),  # third of two
        (b"\x05\x00\x03\x2a\x00\x00", Place()),
        (b"\x03\x00\x03\x2a", Place()),  # torn element
        (b"\x00", Place()),
    ],
)
def test_the_place_of_a_part_is_read_from_its_header(header: bytes, place: Place) -> None:
    assert place_by_header(header + b"text") == (place, b"text")


@pytest.mark.parametrize("octets", [b"", b"\x05\x00\x03\x01"])
def test_a_header_longer_than_its_message_is_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable):
        place_by_header(octets)


def test_the_place_of_a_part_is_read_from_sar_parameters_when_all_three_are_there() -> None:
    tlvs = {0x020C: b"\x01\x00", 0x020E: b"\x02", 0x020F: b"\x01"}
    assert place_by_tlvs(tlvs) == Place(256, 2, 1)
    assert place_by_tlvs({0x020C: b"\x01\x00", 0x020E: b"\x02"}) == Place()
