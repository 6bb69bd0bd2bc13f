import json
import socket
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path

import pytest

from deploy.native import ports


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "registry.json"


def new_run(tmp_path: Path, name: str) -> Path:
    run = tmp_path / name
    run.mkdir()
    return run


def choose_in(place: tuple[Path, Path]) -> dict[str, int]:
    return ports.choose(*place)


def test_each_name_gets_a_port_of_its_own(tmp_path, registry):
    chosen = ports.choose(new_run(tmp_path, "one"), registry)

    assert set(chosen) == set(ports.NAMES)
    assert len(set(chosen.values())) == len(ports.NAMES) <= ports.BLOCK_SIZE


def test_a_folder_keeps_its_ports(tmp_path, registry):
    run = new_run(tmp_path, "one")
    assert ports.kept(run) is None

    chosen = ports.choose(run, registry)

    assert ports.kept(run) == chosen


def test_a_port_that_is_new_since_an_older_version_takes_its_place_beside_the_others(tmp_path, registry):
    run = new_run(tmp_path, "one")
    chosen = ports.choose(run, registry)
    (run / "ports.json").write_text(json.dumps({"amqp": chosen["amqp"], "redis": chosen["redis"]}))

    assert ports.kept(run) == chosen


def test_ports_in_another_order_are_not_kept(tmp_path):
    run = new_run(tmp_path, "one")
    (run / "ports.json").write_text(json.dumps({"amqp": 20_000, "redis": 20_001}))

    assert ports.kept(run) is None


def test_a_port_that_somebody_listens_on_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not ports.is_free(taken)
    assert ports.is_free(taken)


def test_a_block_with_one_taken_port_is_passed_over(tmp_path, registry):
    run = new_run(tmp_path, "one")
    first_choice = ports.choose(run, registry)

    with socket.create_server(("127.0.0.1", first_choice["redis"])):
        second_choice = ports.choose(run, registry)

    assert not set(first_choice.values()) & set(second_choice.values())


def test_the_block_of_an_installation_that_is_down_is_passed_over(tmp_path, registry, monkeypatch):
    monkeypatch.setattr(ports, "FIRST", ports.LAST - 2 * ports.BLOCK_SIZE)  # room for two installations
    one, two, three = (new_run(tmp_path, name) for name in ("one", "two", "three"))

    assert ports.choose(one, registry) != ports.choose(two, registry)

    with pytest.raises(RuntimeError, match="no 20 free ports"):
        ports.choose(three, registry)


def test_a_removed_installation_gives_its_block_back(tmp_path, registry, monkeypatch):
    monkeypatch.setattr(ports, "FIRST", ports.LAST - ports.BLOCK_SIZE)  # room for one installation
    one, two = new_run(tmp_path, "one"), new_run(tmp_path, "two")
    chosen = ports.choose(one, registry)
    (one / "ports.json").unlink()

    assert ports.choose(two, registry) == chosen


def test_clones_that_choose_in_the_same_moment_do_not_meet(tmp_path, registry):
    runs = [new_run(tmp_path, f"clone{number}") for number in range(6)]

    with ProcessPoolExecutor(6) as together:
        chosen = list(together.map(choose_in, [(run, registry) for run in runs]))

    for one, other in combinations(chosen, 2):
        assert not set(one.values()) & set(other.values())
