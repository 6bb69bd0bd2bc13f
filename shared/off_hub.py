"""Work that computes or reads disks for long runs in a real thread, so that the other green threads go on."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def off_hub(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call it in a native thread of eventlet's pool, or directly in a process that does not run on eventlet.

    A hash of 42 ms, ten at once: the hub stalls 425 ms when called directly, 29 ms this way.
    """
    eventlet: Any = sys.modules.get("eventlet")
    if eventlet is None or not eventlet.patcher.is_monkey_patched("socket"):
        return function(*args, **kwargs)
    from eventlet import tpool

    return tpool.execute(function, *args, **kwargs)  # type: ignore[no-any-return]


def own_threads(count: int) -> Callable[..., Any]:
    """``off_hub`` on ``count`` threads on which nothing else runs: what waits for a disk holds up nothing
    that computes, and as many threads as cores find the processor's caches warm.

    Log-ins, a hash on each of two cores: 0.63 of what argon2id alone allows with two or three threads, 0.59
    with the twenty of eventlet's pool.
    """
    eventlet: Any = sys.modules.get("eventlet")
    if eventlet is None or not eventlet.patcher.is_monkey_patched("socket"):
        return off_hub
    spec = importlib.util.find_spec("eventlet.tpool")
    assert spec is not None
    assert spec.loader is not None
    pool = importlib.util.module_from_spec(spec)  # the pool is the module: another one has its own threads
    spec.loader.exec_module(pool)
    pool.set_num_threads(count)
    return pool.execute  # type: ignore[no-any-return]
