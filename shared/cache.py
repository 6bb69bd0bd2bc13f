"""Rate limits in Redis: what may be lost, counted within short time-outs."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import limits
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

ANSWER_SECONDS = 0.5


class CacheUnavailable(Exception):
    """Redis did not answer in time. Each caller decides: refuse politely, or count elsewhere."""


class Limiter:
    """Counts per name and key, over a moving window: the last hour, not the hour of the clock."""

    def __init__(self, redis_url: str, hash_key: str = "", answer_seconds: float = ANSWER_SECONDS) -> None:
        """Connects at the first use. ``hash_key`` hides the keys in Redis; all who share counters give the
        same one. Left out, it comes from ``redis_url``, which holds Redis's password."""
        self._secret = hashlib.blake2b((hash_key or redis_url).encode(), person=b"vssid.limits").digest()
        self._storage = RedisStorage(
            redis_url,
            key_prefix="vssid",
            wrap_exceptions=True,
            socket_timeout=answer_seconds,
            socket_connect_timeout=answer_seconds,
            retry=Retry(NoBackoff(), 1),  # type: ignore[arg-type]  # a pooled connection may be stale
        )
        self._windows = MovingWindowRateLimiter(self._storage)

    def hit(self, name: str, key: str, limit: str) -> bool:
        """Count one for ``key`` under ``name``; False, and not counted, when over ``limit`` (``"3/hour"``).

        Raises ``CacheUnavailable``.
        """
        try:
            return self._windows.hit(parsed(limit), name, self.hidden(key))
        except (StorageError, RedisError):
            raise CacheUnavailable from None

    def wait_seconds(self, name: str, key: str, limit: str) -> int:
        """How long until ``hit`` can succeed again, 0 when it can now. Raises ``CacheUnavailable``."""
        return self.waits((name, key, limit))[0]

    def waits(self, *counted: tuple[str, str, str]) -> list[int]:
        """``wait_seconds`` of each (name, key, limit), asked for in one round trip. Raises
        ``CacheUnavailable``."""
        items = [(parsed(limit), name, self.hidden(key)) for name, key, limit in counted]
        try:
            try:
                windows = self._together(items)
            except NoScriptError:  # Redis was started anew: asked one by one it is taught the script
                windows = [self._windows.get_window_stats(item, *of) for item, *of in items]
        except (StorageError, RedisError):
            raise CacheUnavailable from None
        now = time.time()
        return [0 if left > 0 else max(1, math.ceil(free_at - now)) for free_at, left in windows]

    def _together(self, items: Sequence[tuple[limits.RateLimitItem, str, str]]) -> list[tuple[float, int]]:
        """What ``get_window_stats`` says of each. Raises ``NoScriptError``."""
        now, script = time.time(), self._storage.lua_moving_window
        asked = cast(Redis, self._storage.get_connection()).pipeline(transaction=False)
        for item, *of in items:
            key = self._storage.prefixed_key(item.key_for(*of))
            asked.evalsha(script.sha, 1, key, now - item.get_expiry(), item.amount)
        windows = zip(items, asked.execute(), strict=True)
        return [
            (float(window[0]) + item.get_expiry(), item.amount - window[1]) if window else (now, item.amount)
            for (item, *_), window in windows
        ]

    def hidden(self, key: str) -> str:
        """As it stands in Redis: keyed, as an unkeyed hash of a phone is found by trying all phones."""
        return hashlib.blake2b(key.encode(), key=self._secret, digest_size=20).hexdigest()


@lru_cache(maxsize=256)
def parsed(limit: str) -> limits.RateLimitItem:
    """``10/minute`` as amount and window. Raises ``ValueError``."""
    return limits.parse(limit)
