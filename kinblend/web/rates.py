"""How often one client may ask: a bucket that fills again steadily."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

FORGET_AFTER = 10_000  # clients remembered at most


@dataclass
class _Bucket:
    left: float
    at: float


class Rates:
    """per_second: requests in the long run. burst: at once."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, client: str, cost: float = 1.0) -> float:
        """Pay for a request. Returns 0, or after how many whole seconds the client may try again."""
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self._burst, now)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        self._buckets[client] = bucket
        while len(self._buckets) > FORGET_AFTER:
            del self._buckets[next(iter(self._buckets))]
        if bucket.left < cost:
            return math.ceil((cost - bucket.left) / self._per_second)
        bucket.left -= cost
        return 0
