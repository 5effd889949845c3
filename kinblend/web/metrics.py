"""What Prometheus reads at /metrics. No names, no addresses: counts, times and sizes only."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)


class Metrics:
    """The counters of one app."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ["method", "route", "status"]
        self._answers = Counter("kinblend_http_requests", "Answers given.", labels, registry=self._registry)
        self._seconds = Histogram(
            "kinblend_http_seconds", "Time to the answer.", ["route"], buckets=SECONDS, registry=self._registry
        )
        self._jobs = Counter(
            "kinblend_jobs", "Pieces of engine work, by outcome.", ["kind", "outcome"], registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """An answer was begun. route: its pattern, without ids. Clients may call methods what they like."""
        known = method if method in METHODS else "other"
        self._answers.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def worked(self, kind: str, outcome: str) -> None:
        """A job ended."""
        self._jobs.labels(kind, outcome).inc()

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is read when asked for."""
        Gauge(f"kinblend_{name}", text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)
