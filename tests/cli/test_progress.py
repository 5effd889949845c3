"""How fast it goes and how long it takes still."""

import pytest

from kinblend.cli import progress
from kinblend.cli.output import set_quiet
from kinblend.cli.progress import bar, describe_rate, describe_time_left


@pytest.mark.parametrize(
    ("done", "total", "seconds", "rate", "left"),
    [
        (0, 10, 5, "", ""),
        (10, 10, 5, "2.0 a second", ""),
        (10, 30, 5, "2.0 a second", "10 s left"),
        (1, 4, 100, "0.6 a minute", "5 min left"),
        (2, 10_000, 10, "12.0 a minute", "13 h 53 min left"),
        (5, None, 10, "30.0 a minute", ""),
        (5, 10, 0, "", ""),
    ],
)
def test_rate_and_time_left(done: float, total: float | None, seconds: float, rate: str, left: str) -> None:
    assert (describe_rate(done, seconds), describe_time_left(done, total, seconds)) == (rate, left)


def test_lines_have_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    set_quiet(False)  # whatever the command before was told
    with bar("couples", 8, quiet=False) as show:
        show(0)
        show(4)
    nothing, some = capsys.readouterr().err.splitlines()
    assert nothing == "couples: 0 of 8"
    assert some.startswith("couples: 4 of 8, ") and some.endswith(" left")
    assert " a second, " in some or " a minute, " in some
    with bar("download", 8, quiet=False, in_bytes=True) as show:
        show(4)
    assert capsys.readouterr().err == "download: 4 of 8\n"
