"""Parts of the face from one parent: the part changes, and hardly anything else; what can't work is refused first."""

from pathlib import Path

import numpy as np
import pytest
import torch
from portraits import portrait
from safetensors.torch import save_file

from kinblend import Context, Engine, Latent
from kinblend.backbone import make_plugin
from kinblend.cli.demo import FATHER, MOTHER
from kinblend.errors import CheckpointError, OptionError, UnsupportedError, WeightsMissingError
from kinblend.faces import landmarks_in_crop, part_masks
from kinblend.faces.face_regions import masks_of
from kinblend_plugins.blenders.part_maps import PartMap, load_part_maps, save_part_maps

SIDE = 256
NAMES = ["eyes", "brows", "nose", "mouth", "jaw"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable")


@pytest.fixture(scope="module")
def couple(engine: Engine) -> tuple[Latent, Latent]:
    return engine.encode(portrait(FATHER)), engine.encode(portrait(MOTHER))


def child(engine: Engine, couple: tuple[Latent, Latent], share: float = 0.5, **parts: str) -> Latent:
    return engine.blend(*couple, engine.blender("parts", {"parts": parts, "share": share})).latent


def picture(engine: Engine, latent: Latent) -> np.ndarray:
    return np.asarray(engine.render(latent).resize((SIDE, SIDE)), float)


def test_each_part_changes_five_times_as_much_as_the_rest_of_the_face(engine, couple) -> None:
    points = landmarks_in_crop(engine.render(child(engine, couple)).resize((SIDE, SIDE)))
    face, masks = masks_of(points, (SIDE, SIDE))[:-1].any(0), part_masks(points, SIDE)
    for name in NAMES:
        pictures = [picture(engine, child(engine, couple, **{name: parent})) for parent in ("father", "mother")]
        apart = np.abs(pictures[0] - pictures[1]).mean(2)
        assert apart[masks[name]].mean() > 5 * apart[face & ~masks[name]].mean() > 0, name


def test_without_parts_it_is_the_average_and_the_other_parts_follow_the_share(engine, couple) -> None:
    blend = engine.blender("parts", {"share": 0.25}).blend(*(one.code for one in couple), 0)
    even = engine.blender("average", {"share": 0.25}).blend(*(one.code for one in couple), 0)
    assert torch.equal(blend.code, even.code) and not blend.regions and blend.weights is not None
    hers = picture(engine, couple[1])
    mouth = np.abs(picture(engine, child(engine, couple, share=0.0, mouth="father")) - hers).mean(2)
    assert mouth[SIDE * 5 // 8 :].mean() > 2 * mouth[: SIDE // 2].mean()


def test_both_parents_may_lend_parts_and_the_same_gives_the_same_bytes(engine, couple) -> None:
    first, second = (child(engine, couple, eyes="father", nose="mother") for _ in range(2))
    assert torch.equal(first.code, second.code)
    assert torch.equal(first.detail["residual"], second.detail["residual"])
    blend = engine.blender("parts", {"parts": {"eyes": "father", "nose": "mother", "jaw": "mother"}})
    regions = blend.blend(*(one.code for one in couple), 0).regions
    assert [region.parent for region in regions] == ["father", "mother"]
    assert bool((regions[1].shape >= blend.maps["jaw"].shape).all()), "several parts of one parent are one region"


def test_codes_alone_get_them_too(engine, couple) -> None:
    bare = [Latent(one.code, one.space) for one in couple]
    latent = child(engine, bare, nose="father")
    assert not latent.detail and not torch.equal(latent.code, child(engine, bare).code)


def test_an_unknown_part_is_refused_with_those_there_are(engine) -> None:
    with pytest.raises(OptionError, match="morphable has no part 'ears'; it has: eyes, brows, nose, mouth, jaw"):
        engine.blender("parts", {"parts": {"ears": "father"}})
    with pytest.raises(OptionError, match="father"):
        engine.blender("parts", {"parts": {"eyes": "uncle"}})
    assert list(engine.blender("parts").names_for("parts")) == NAMES
    assert engine.blender("parts").names_for("share") == ()


def test_what_a_backbone_lacks_is_said_before_any_work(engine) -> None:
    context = engine.backbone.context
    files = {name: file for name, file in context.files.items() if name != "parts.safetensors"}
    bare = Context(context.space, files, context.settings, context.projector)
    with pytest.raises(WeightsMissingError, match="kinblend train blender parts"):
        make_plugin("blender", "parts", bare, {})
    for projector in (None, lambda: object.__new__(type("Plain", (), {"title": "projector 'plain'"}))):
        with pytest.raises(UnsupportedError, match="can't draw a part of a face"):
            make_plugin("blender", "parts", Context(context.space, context.files, {}, projector), {})


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({}, "holds no maps"),
        ({"shape.eyes": torch.zeros(8, 8, dtype=torch.uint8)}, "colour.eyes"),
        ({f"{kind}.eyes": torch.zeros(8, 9, dtype=torch.uint8) for kind in ("shape", "colour")}, r"\[8, 9\]"),
        ({f"{kind}.eyes": torch.zeros(8, 8) for kind in ("shape", "colour")}, "float32"),
        ({f"{kind}.eyes": torch.zeros(2000, 2000, dtype=torch.uint8) for kind in ("shape", "colour")}, "2000"),
    ],
    ids=["nothing", "half", "oblong", "floats", "large"],
)
def test_other_files_are_refused(tensors: dict, said: str, tmp_path: Path, engine) -> None:
    save_file(tensors, tmp_path / "parts.safetensors")
    with pytest.raises(CheckpointError, match=said):
        engine.blender("parts", {"weights": str(tmp_path / "parts.safetensors")})
    (tmp_path / "parts.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError):
        load_part_maps(tmp_path / "parts.safetensors")


def test_maps_come_back_from_their_file(tmp_path: Path) -> None:
    maps = {
        "nose": PartMap(torch.rand(16, 16), torch.zeros(16, 16)),
        "wart": PartMap(torch.ones(8, 8), torch.ones(8, 8)),
    }
    save_part_maps(tmp_path / "maps.safetensors", maps, "a test")
    found = load_part_maps(tmp_path / "maps.safetensors")
    assert list(found) == ["nose", "wart"]
    assert float((found["nose"].shape - maps["nose"].shape).abs().max()) <= 0.5 / 255 + 1e-6
