"""How fast it goes."""

import pytest

from kinblend.cli import progress
from kinblend.cli.output import set_quiet
from kinblend.cli.progress import bar, describe_rate, followed, stages
from kinblend.progress import tell_progress


@pytest.mark.parametrize(
    ("done", "seconds", "rate"),
    [
        (0, 5, ""),
        (5, 0, ""),
        (10, 5, "2.0 a second"),
        (10, 10, "1.0 a second"),
        (5, 10, "30.0 a minute"),
        (1, 100, "0.6 a minute"),
    ],
)
def test_rates(done: float, seconds: float, rate: str) -> None:
    assert describe_rate(done, seconds) == rate


def test_lines_have_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    set_quiet(False)  # whatever the command before was told
    with bar("couples", 8, quiet=False) as show:
        show(0)
        show(4)
    nothing, some = capsys.readouterr().err.splitlines()
    assert nothing == "couples: 0 of 8"
    assert some.startswith("couples: 4 of 8, about 1 min left, ")
    assert some.endswith((" a second", " a minute"))
    with bar("download", 8, quiet=False, in_bytes=True) as show:
        show(4)
    assert " a second" not in capsys.readouterr().err


def test_work_that_tells_how_far_it_is_has_lines_where_it_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_quiet(False)
    with stages(quiet=False) as begin:
        begin("detect")
        tell_progress(1, 4)  # at once: no line of its own
        monkeypatch.setattr(progress, "INTERVAL", 0.0)
        begin("encode")
        tell_progress(1, 4)
    tell_progress(2, 4)  # nobody listens any more
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["detect …", "encode …"]
    assert [line.partition(",")[0] for line in lines[2:]] == ["encode: 1 of 4"]
    with followed("encode", quiet=True):
        tell_progress(1, 4)
    assert capsys.readouterr().err == ""
