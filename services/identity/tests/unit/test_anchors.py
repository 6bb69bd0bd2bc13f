"""The file of anchors: only ever added to, and only what was signed counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from joserfc.jwk import KeySet, OKPKey

from services.identity.anchors import FILE, AnchorForged, Anchors
from services.identity.sealing import GENESIS, Anchor, Finding
from services.identity.tests.unit.samples import NOW

KEY = OKPKey.generate_key("Ed25519", parameters={"kid": "one"})
OTHER = OKPKey.generate_key("Ed25519", parameters={"kid": "one"})
FOUR = [Anchor(1, number, 10 * number, GENESIS, NOW) for number in range(4)]


def anchors_in(folder: Path, key: OKPKey = KEY, *published: OKPKey) -> Anchors:
    public = json.dumps(KeySet(list(published or (KEY,))).as_dict(private=False))
    return Anchors(folder, public, json.dumps(key.as_dict(private=True)))


def test_what_was_added_is_read_and_added_once(tmp_path: Path) -> None:
    anchors = anchors_in(tmp_path / "new")
    assert (anchors.head(), list(anchors.all())) == (None, [])
    anchors.add(FOUR[:2])
    anchors.add(FOUR[:3])
    anchors.add(FOUR)
    assert anchors.head() == FOUR[-1]
    assert list(anchors.all()) == FOUR
    assert (tmp_path / "new" / FILE).stat().st_mode & 0o077 == 0


def test_former_keys_are_read_while_they_are_published(tmp_path: Path) -> None:
    new = OKPKey.generate_key("Ed25519", parameters={"kid": "two"})
    anchors_in(tmp_path).add(FOUR[:1])
    anchors = anchors_in(tmp_path, new, new, KEY)
    anchors.add(FOUR[:2])
    assert list(anchors.all()) == FOUR[:2]


def test_what_another_key_signed_is_forged(tmp_path: Path) -> None:
    anchors_in(tmp_path).add(FOUR[:1])
    with pytest.raises(AnchorForged):
        anchors_in(tmp_path, OTHER, OTHER).head()
    (found,) = anchors_in(tmp_path, OTHER, OTHER).all()
    assert isinstance(found, Finding)
    assert (found.kind, found.is_fault) == ("anchor_forged", True)


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 9},
        {"epoch": 2},
        {"last_id": 1},
        {"hash": "00" * 32},
        {"at": "2026-03-02T09:00:00.000001Z"},
    ],
)
def test_a_line_that_was_edited_is_forged(tmp_path: Path, change: dict[str, object]) -> None:
    anchors = anchors_in(tmp_path)
    anchors.add(FOUR[:1])
    line = json.loads(anchors.file.read_text())
    anchors.file.write_text(json.dumps({**line, **change}) + "\n")
    with pytest.raises(AnchorForged):
        anchors.head()


def test_the_payload_that_a_signature_brings_along_counts_nothing(tmp_path: Path) -> None:
    anchors, elsewhere = anchors_in(tmp_path / "a"), anchors_in(tmp_path / "b")
    elsewhere.add([replace(FOUR[0], sequence=7)])
    line = json.loads(elsewhere.file.read_text())
    anchors.file.parent.mkdir()
    anchors.file.write_text(json.dumps({**line, "sequence": 8}) + "\n")
    with pytest.raises(AnchorForged):
        anchors.head()


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_line_whose_writing_was_cut_off_spoils_no_other(tmp_path: Path, kept: int) -> None:
    anchors = anchors_in(tmp_path)
    anchors.add(FOUR[:2])
    first, second = anchors.file.read_bytes().splitlines(keepends=True)
    anchors.file.write_bytes(first + second[:kept])
    anchors.add(FOUR[1:])
    found = [item for item in anchors.all() if isinstance(item, Anchor)]
    assert found == FOUR
    assert not any(item.is_fault for item in anchors.all() if isinstance(item, Finding))


def test_what_is_added_while_reading_is_not_read(tmp_path: Path) -> None:
    anchors = anchors_in(tmp_path)
    anchors.add(FOUR[:2])
    reading = anchors.all()
    anchors.add(FOUR)
    assert list(reading) == FOUR[:2]
