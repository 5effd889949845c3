"""Pivotal tuning: pictures come nearer to a photograph, other latents draw as before, children have a share of it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from openvino_files import WHEEL, write_wheel
from plugin_site import here
from toy_faces import picture, session

from kinblend import Backbone, Editor, Engine, Latent, load_backbone
from kinblend.errors import InputError, UnsupportedError, UsageError
from kinblend.imaging import to_batch
from kinblend.interfaces import KeepsDetail, TunesWeights
from kinblend.pack_import import import_pack
from kinblend.storage.latents import load_latent, save_latent
from kinblend.types import WeightMap
from kinblend_plugins.mobilestylegan import projector
from kinblend_plugins.stylegan2.training.export import export


@pytest.fixture(scope="module")
def mobile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheel = write_wheel(tmp_path_factory.mktemp("mobile") / WHEEL)
    return import_pack(wheel, wheel.parent / "packs", "mobile").folder


@pytest.fixture(scope="module")
def stylegan2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    training, folder = session(delta_every=1, delta_start=0), tmp_path_factory.mktemp("stylegan2")
    training.step()
    export(training, folder)
    return folder


@pytest.fixture(params=["mobile", "stylegan2"])
def pack(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def latents(backbone: Backbone, count: int = 2) -> list[Latent]:
    space = backbone.space
    codes = torch.randn(count, space.layers, space.dim, generator=torch.Generator().manual_seed(5)) * 0.3
    return [Latent(code, space) for code in codes]


def tuned(backbone: Backbone, latent: Latent, number: int = 0, steps: int = 8) -> Latent:
    assert isinstance(backbone.projector, TunesWeights)
    return backbone.projector.tune(picture(number), latent, steps=steps)


def far(backbone: Backbone, latent: Latent, number: int = 0) -> float:
    side = backbone.projector.resolution
    shown, truth = (to_batch([one], side) for one in (backbone.render([latent])[0], picture(number)))
    return float((shown - truth).abs().mean())


def test_its_picture_is_nearer_and_others_stay(pack: Path) -> None:
    backbone = load_backbone(pack)
    latent, other = latents(backbone)
    before = [picture.tobytes() for picture in backbone.render([latent, other])]
    found = tuned(backbone, latent, steps=20)
    assert torch.equal(found.code, latent.code)
    assert far(backbone, found) < far(backbone, latent)
    together = [picture.tobytes() for picture in backbone.render([found, latent, other, found])]
    assert together[1:3] == before
    assert together[0] == together[3] != before[0]


def test_the_same_photograph_gives_the_same_changes(pack: Path) -> None:
    backbone = load_backbone(pack)
    [latent] = latents(backbone, 1)
    one, other = tuned(backbone, latent, steps=2), tuned(load_backbone(pack), latent, steps=2)
    assert one.detail.keys() == other.detail.keys() != set()
    assert all(torch.equal(change, other.detail[name]) for name, change in one.detail.items())


def test_tuning_goes_on_from_what_was_tuned(pack: Path) -> None:
    backbone = load_backbone(pack)
    [latent] = latents(backbone, 1)
    once = tuned(backbone, latent, steps=4)
    assert far(backbone, tuned(backbone, once, steps=8)) < far(backbone, once)
    still = tuned(backbone, once, steps=0)
    assert backbone.render([still])[0].tobytes() == backbone.render([once])[0].tobytes()


def test_changes_of_other_weights_stay(stylegan2: Path) -> None:
    """As HyperStyle makes them: whole kernels, of the smallest maps as well."""
    backbone = load_backbone(stylegan2)
    assert isinstance(backbone.projector, TunesWeights)
    weights = backbone.projector.changeable_weights()
    drawn = {name: 0.2 * torch.randn_like(weight) for name, weight in weights.items() if name.startswith("convs.")}
    [latent] = latents(backbone, 1)
    changed = Latent(latent.code, latent.space, {f"weights.{name}": change for name, change in drawn.items()})
    found = tuned(backbone, changed, steps=20)
    assert far(backbone, found) < far(backbone, changed)
    assert found.detail.keys() >= changed.detail.keys()
    assert {tuple(change.shape[2:]) for change in found.detail.values()} == {(1, 1), (3, 3)}


def test_a_child_has_a_share_of_each_parents(pack: Path) -> None:
    backbone = load_backbone(pack)
    father, mother = latents(backbone)
    father = tuned(backbone, father, steps=3)
    projector = backbone.projector
    assert isinstance(projector, KeepsDetail)

    def child(share: float) -> dict[str, torch.Tensor]:
        weights = WeightMap(torch.full_like(father.code, share), backbone.space)
        return dict(projector.blend_detail(father, mother, weights, projector.options))

    assert child(0.5).keys() == father.detail.keys()
    for name, change in father.detail.items():
        torch.testing.assert_close(child(1.0)[name], change)
        torch.testing.assert_close(child(0.5)[name].float(), change.float() / 2, atol=1e-3, rtol=0)
    assert projector.edit_detail(father, mother.code).keys() == father.detail.keys()


class Ages(Editor):
    """An editor that knows ages."""

    def attributes(self) -> dict[str, str]:
        return {"age": "made up"}

    def targets(self) -> dict[str, list[str]]:
        return {"age": ["years"]}

    def strength_for_target(self, code: torch.Tensor, attribute: str, value: float | str, unit: str) -> float:
        return 0.1

    def edit(self, codes: torch.Tensor, strengths: Mapping[str, float]) -> torch.Tensor:
        return codes + strengths["age"]


def test_a_child_has_no_grown_skin(mobile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what tuning found, the young have what lies in the largest maps alone."""
    monkeypatch.setattr(projector, "OF_ANY_AGE", 1 / 2)  # this generator has no map below a quarter of the side
    engine = Engine(mobile)
    person = tuned(engine.backbone, latents(engine.backbone, 1)[0], steps=3)
    editor = Ages(None, engine.backbone.context)

    def left(age: str | float) -> dict[str, torch.Tensor]:
        return dict(engine.edit(person, editor, {"age": age}).detail)

    fine, names = left("8y"), set(person.detail)
    assert "weights.picture.weight" in fine
    assert set(fine) < names
    assert max(fine) == max(names)  # of the largest map
    assert min(names) not in fine  # of the smallest
    assert all(torch.equal(change, person.detail[name]) for name, change in fine.items())
    assert set(left("4y")) == set(left("12y")) == set(fine)
    for name, change in left("16y").items():
        torch.testing.assert_close(change.float(), person.detail[name].float() * (1 if name in fine else 0.5))
    mixed = replace(person, detail={**person.detail, "other": torch.ones(2)})
    assert "other" in engine.edit(mixed, editor, {"age": "4y"}).detail
    for grown in ("20y", "60y", -0.5):
        assert all(torch.equal(change, person.detail[name]) for name, change in left(grown).items())
        assert set(left(grown)) == names
    young = engine.edit(person, editor, {"age": "8y"})
    assert young.detail
    assert engine.render(young).size == (engine.backbone.projector.resolution,) * 2
    assert not engine.edit(latents(engine.backbone, 1)[0], editor, {"age": "8y"}).detail


def test_latents_travel_as_files_with_what_was_tuned(pack: Path, tmp_path: Path) -> None:
    backbone = load_backbone(pack)
    found = tuned(backbone, latents(backbone, 1)[0], steps=2)
    save_latent(tmp_path / "a.safetensors", found)
    again = load_latent(tmp_path / "a.safetensors", backbone.space)
    assert backbone.render([again])[0].tobytes() == backbone.render([found])[0].tobytes()


def test_a_file_whose_changes_do_not_fit_is_refused(pack: Path, tmp_path: Path) -> None:
    backbone = load_backbone(pack)
    [latent] = latents(backbone, 1)
    for name, change in (("no.such.weight", torch.zeros(1, 1, 1, 1)), ("picture.weight", torch.zeros(3))):
        save_latent(tmp_path / "bad.safetensors", Latent(latent.code, latent.space, {f"weights.{name}": change}))
        bad = load_latent(tmp_path / "bad.safetensors")
        with pytest.raises(InputError, match=name):
            backbone.render([bad])
        with pytest.raises(InputError, match=name):
            tuned(backbone, bad, steps=1)


def test_negative_steps_are_refused(pack: Path) -> None:
    backbone = load_backbone(pack)
    with pytest.raises(UsageError, match="-1"):
        tuned(backbone, latents(backbone, 1)[0], steps=-1)


def test_it_ends_when_it_is_told_to(pack: Path) -> None:
    backbone, seen = load_backbone(pack), []

    def stop(now: object) -> bool:
        seen.append(now)
        return len(seen) < 2

    assert isinstance(backbone.projector, TunesWeights)
    found = backbone.projector.tune(picture(0), latents(backbone, 1)[0], steps=50, progress=stop)
    assert len(seen) == 2
    assert found.detail


def test_encoders_tune_where_they_are_asked_to(stylegan2: Path, tmp_path: Path) -> None:
    picture(0).save(tmp_path / "face.png")
    arguments = ("encode", tmp_path / "face.png", "--aligned", "--backbone", stylegan2, "--json")
    for steps in (0, 2):
        out = tmp_path / f"{steps}.safetensors"
        code, _, error = here(*arguments, "--set", f"encoder.tune={steps}", "--out", out)
        assert code == 0, error
    plain, found = (load_latent(tmp_path / f"{steps}.safetensors") for steps in (0, 2))
    assert torch.equal(plain.code, found.code)
    assert not plain.detail
    assert found.detail
    engine = Engine(stylegan2, encoder_options={"tune": 2})
    assert engine.backbone.encoder.crop_size == 512
    child = engine.blend(found, plain, "average").latent
    assert child.detail.keys() == found.detail.keys()


def test_a_generator_that_can_not_be_tuned_says_so(tmp_path: Path) -> None:
    from kinblend.inversion import tune_faces
    from kinblend.types import AlignedFace

    backbone = load_backbone("morphable")
    with pytest.raises(UnsupportedError, match="morphable"):
        tune_faces(backbone.context, [AlignedFace(picture(0))], latents(backbone, 1), 3)


def test_families_keep_nothing_of_it_and_so_refuse_it(stylegan2: Path) -> None:
    from kinblend.families.prepared import describe_encoding

    plain = describe_encoding(load_backbone(stylegan2), "dlib")
    assert "tune" not in plain["encoder_options"]  # codes do not depend on it
    with pytest.raises(UsageError, match="leave out the encoder's option tune"):
        describe_encoding(load_backbone(stylegan2, encoder_options={"tune": 2}), "dlib")
