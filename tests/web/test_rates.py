"""The bucket empties, says when it is worth asking again, and fills."""

from kinblend.web import rates
from kinblend.web.rates import Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_steady_stream() -> None:
    clock = Clock()
    limit = Rates(2.0, 4.0, clock)
    assert [limit.take("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    assert limit.take("b") == 0, "another client has a bucket of its own"
    clock.now = 0.5
    assert [limit.take("a"), limit.take("a")] == [0, 1]
    clock.now = 100
    assert [limit.take("a") for _ in range(5)] == [0, 0, 0, 0, 1]


def test_many_clients_take_no_more_memory_than_so_much(monkeypatch) -> None:
    monkeypatch.setattr(rates, "FORGET_AFTER", 3)
    limit = Rates(1.0, 1.0, Clock())
    assert all(limit.take(str(client)) == 0 for client in range(50))
    assert len(limit._buckets) == 3
