"""Rate limits in Redis: what may be lost, counted within short time-outs."""

from __future__ import annotations

import hashlib
import math
import time
from functools import lru_cache

import limits
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
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
        try:
            window = self._windows.get_window_stats(parsed(limit), name, self.hidden(key))
        except (StorageError, RedisError):
            raise CacheUnavailable from None
        return 0 if window.remaining else max(1, math.ceil(window.reset_time - time.time()))

    def hidden(self, key: str) -> str:
        """As it stands in Redis: keyed, as an unkeyed hash of a phone is found by trying all phones."""
        return hashlib.blake2b(key.encode(), key=self._secret, digest_size=20).hexdigest()


@lru_cache(maxsize=256)
def parsed(limit: str) -> limits.RateLimitItem:
    """``10/minute`` as amount and window. Raises ``ValueError``."""
    return limits.parse(limit)
