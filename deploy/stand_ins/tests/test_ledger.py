"""The record of a stand-in survives its own restart."""

from pathlib import Path

from deploy.stand_ins.ledger import Ledger


def test_rows_are_there_again_after_a_restart(tmp_path: Path) -> None:
    Ledger(tmp_path / "new" / "rows.jsonl").append({"text": "Xin chào\n"})
    assert Ledger(tmp_path / "new" / "rows.jsonl").rows == [{"text": "Xin chào\n"}]


def test_a_row_is_on_disk_before_append_returns(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "rows.jsonl")
    ledger.append({"n": 1})
    assert (tmp_path / "rows.jsonl").read_text() == '{"n": 1}\n'


def test_a_torn_last_row_is_cut_off_and_the_next_one_stands_on_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 1}\n{"n": ')
    Ledger(path).append({"n": 2})
    assert Ledger(path).rows == [{"n": 1}, {"n": 2}]


def test_a_line_separator_inside_a_text_does_not_split_its_row(tmp_path: Path) -> None:
    Ledger(tmp_path / "rows.jsonl").append({"text": "a\u2028b\x85c"})
    assert Ledger(tmp_path / "rows.jsonl").rows == [{"text": "a\u2028b\x85c"}]
