"""The breaker with a clock of its own."""

from __future__ import annotations

import pytest

from services.identity.circuit import Circuit, CircuitOpen


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Failed(Exception):
    pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(failures_to_open=3, open_seconds=10, clock=clock)


def fail(circuit: Circuit, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Failed), circuit.call():
            raise Failed


def succeed(circuit: Circuit) -> None:
    with circuit.call():
        pass


def is_open(circuit: Circuit) -> bool:
    try:
        succeed(circuit)
    except CircuitOpen:
        return True
    return False


def test_it_opens_after_so_many_failures_in_a_row(circuit: Circuit) -> None:
    fail(circuit, 3)
    assert is_open(circuit)


def test_a_success_in_between_starts_the_count_again(circuit: Circuit) -> None:
    fail(circuit, 2)
    succeed(circuit)
    fail(circuit, 2)
    assert not is_open(circuit)


def test_after_a_while_one_probe_is_let_through_and_no_second(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.time = 10
    with circuit.call():
        assert is_open(circuit)
    assert not is_open(circuit)


def test_a_failed_probe_opens_it_for_the_whole_time_again(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.time = 10
    fail(circuit)
    clock.time = 19.9
    assert is_open(circuit)
    clock.time = 20
    assert not is_open(circuit)


def test_a_probe_that_is_killed_is_given_back(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.time = 10
    with pytest.raises(BaseException, match="killed"), circuit.call():
        raise BaseException("killed")
    clock.time = 20
    assert not is_open(circuit)
