"""An evaluation gives the same report whoever does its work."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
import torch
from plugin_site import here
from torch.nn import functional as F

from kinblend import Engine, Latent, LatentSpace, load_backbone
from kinblend.batch.worker import EngineOptions
from kinblend.datasets import Trios
from kinblend.errors import PackNotFoundError
from kinblend.evaluation import backbone, blender, encoders
from kinblend.evaluation.backbone_jobs import PersonJob, measure_person
from kinblend.evaluation.blender_jobs import BATCH
from kinblend.evaluation.processes import SharedBackbone, pack_latent, share_work, unpack_latent
from kinblend.imaging import to_pictures
from kinblend.workers import LocalWorkers, Workers


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    """Two processes; the evaluations of all tests are theirs."""
    with LocalWorkers(2) as crew:
        yield crew


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable", "cpu", encoder_options={"size": 512})


def faces(engine: Engine, count: int) -> list:
    codes = 0.6 * torch.randn(count, 4, 512, generator=torch.Generator().manual_seed(0))
    return to_pictures(engine.backbone.projector.synthesize(codes, size=256))


def test_of_a_backbone_but_for_seconds(engine: Engine, two: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine couples are two jobs; mask draws lots, and has siblings. The seconds of a child take half a minute."""
    monkeypatch.setattr(backbone, "speed", lambda *_: {})
    people = faces(engine, 3)
    reports = [
        backbone.evaluate(engine, people, 9, strategies=["mask"], with_edits=False, workers=who) for who in (1, two)
    ]
    seconds = [report.pop("seconds") for report in reports]
    assert reports[0] == reports[1]
    assert set(reports[0]["children"]) == set(reports[0]["siblings"]) == {"mask"}
    assert reports[0]["rank1"] == 1
    assert set(seconds[0]) == set(seconds[1])


def test_of_edits(engine: Engine, two: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(engine.editor()), "attributes", lambda _: {"age": "older"})
    shared, people = SharedBackbone(engine), faces(engine, 2)
    found = []
    for who in (1, two):
        looked_at = backbone.encode_people(shared, who, people)
        found.append(backbone.edits(shared, who, looked_at, [(0, 1)]))
    assert found[0] == found[1]
    assert found[0]["age -3"]["distance_median"] > 0.05


def test_of_strategies(two: Workers) -> None:
    """One more than a batch: two jobs, and only some rows of each are looked at."""
    loaded, count = load_backbone("morphable"), BATCH + 1
    father, mother = 0.6 * torch.randn(2, count, 4, 512, generator=torch.Generator().manual_seed(1))
    names = [f"F{row}" for row in range(count)]
    known = F.normalize(torch.randn(count, 128, generator=torch.Generator().manual_seed(2)), dim=1)
    trios = Trios(father, mother, father, known, names, loaded.space, ["test"] * count)
    chosen = {"mask": ("mask", {})}
    one, other = (blender.evaluate(loaded, trios, range(count), chosen, pictures=2, workers=who) for who in (1, two))
    assert one == other
    assert one["strategies"]["mask"]["figures"]["diversity"]["families"] == 2


def test_of_encoders_but_for_seconds(engine: Engine, two: Workers) -> None:
    candidate = encoders.Candidate("morphable", "morphable", {"size": 512})
    people = encoders.People.of(["one", "other"], faces(engine, 2), ["dlib"])
    one, other = (
        encoders.measure(candidate, engine, people, {"age": 1.0}, [], workers=who).values for who in (1, two)
    )
    assert set(one) == set(other) >= {"seconds", "age+1, LEC, share", "identity, dlib, with detail"}
    for figure in set(one) - {"seconds"}:
        torch.testing.assert_close(one[figure], other[figure], rtol=0, atol=0, equal_nan=True, msg=figure)
    assert one["seconds"].isnan().tolist() == [True, False]


def test_what_fails_in_another_process_says_what_it_would_say_in_this_one(engine: Engine, two: Workers) -> None:
    jobs = [PersonJob(SharedBackbone(EngineOptions("nobodys")), face) for face in faces(engine, 2)]
    for who in (1, two):
        with pytest.raises(PackNotFoundError, match="there is no pack 'nobodys'"):
            share_work(who, measure_person, jobs)


def test_a_backbone_is_opened_anew_as_it_was(engine: Engine) -> None:
    engine = Engine("morphable", "cpu", "fp32,encoder=bf16", "2GiB", encoder_options={"size": 512})
    there, again = (pickle.loads(pickle.dumps(SharedBackbone(engine))) for _ in range(2))
    assert there is again
    assert there.options == SharedBackbone(engine).options
    opened = there.engine
    assert opened is not engine
    assert (opened.pool.precision, opened.pool.budget) == ("fp32,encoder=bf16", 2**31)
    assert opened.backbone.encoder_options == {"size": 512}
    assert opened.backbone.space == engine.backbone.space


def test_latents_are_bytes_on_the_way() -> None:
    space = LatentSpace("toy", 2, 3, "ab" * 32)
    latent = Latent(
        torch.randn(2, 3), space, {"half": torch.ones(2, 2).half().T, "mask": torch.zeros(1, dtype=torch.uint8)}
    )
    found = unpack_latent(pack_latent(latent), space)
    assert torch.equal(found.code, latent.code)
    assert {name: (value.dtype, value.tolist()) for name, value in found.detail.items()} == {
        name: (value.dtype, value.tolist()) for name, value in latent.detail.items()
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workers", 2, "--ray", "local"], "leave it out with --ray"),
        (["--gpus-each", 0.5], "give --ray, too"),
        (["--workers", 0], "workers"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "command",
    [["backbone", "--faces", "no.zip"], ["blender", "--trios", "no.safetensors"], ["encoders", "no.jpg"]],
    ids=lambda words: words[0],
)
def test_who_is_to_do_the_work_is_checked_first(command: list[str], words: list[object], said: str) -> None:
    code, _, error = here("evaluate", *command, *words)
    assert code == 2
    assert said in error
