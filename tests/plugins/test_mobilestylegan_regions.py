"""Regions of other people in a picture: drawn from their codes, edited with the child, refused where none."""

from pathlib import Path

import pytest
import torch
from openvino_files import DIM, LAYERS, WHEEL, write_wheel

from kinblend import Backbone, DevicePool, Latent, LatentSpace, load_backbone
from kinblend.errors import InputError
from kinblend.interfaces import Region
from kinblend.pack_import import import_pack
from kinblend.storage.latents import load_latent, save_latent
from kinblend_plugins.mobilestylegan.regions import CODES, MAPS, Regions, moved, region_detail

CODE, HIS, HERS = torch.randn(3, LAYERS, DIM, generator=torch.Generator().manual_seed(2)) * 0.5
LEFT = torch.zeros(32, 32)
LEFT[:, :16] = 1
NOWHERE, EVERYWHERE = torch.zeros(32, 32), torch.ones(32, 32)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheel = write_wheel(tmp_path_factory.mktemp("regions") / WHEEL)
    return import_pack(wheel, wheel.parent / "packs", "mine").folder


@pytest.fixture(scope="module")
def backbone(pack: Path) -> Backbone:
    return load_backbone(pack)


def child(backbone: Backbone, *people: tuple[torch.Tensor, torch.Tensor], colour: torch.Tensor = NOWHERE) -> Latent:
    names = ("father", "mother")
    given = [
        (Latent(code, backbone.space), Region(name, shape, colour))
        for (code, shape), name in zip(people, names, strict=False)
    ]
    return backbone.projector.blend_regions(Latent(CODE, backbone.space), given)


def drawn(backbone: Backbone, latent: Latent) -> torch.Tensor:
    return backbone.projector.synthesize_latent(latent)


def test_nowhere_and_ones_own_are_the_picture_as_it_was(backbone: Backbone) -> None:
    plain = drawn(backbone, Latent(CODE, backbone.space))
    for latent in (child(backbone, (HIS, NOWHERE)), child(backbone, (CODE, EVERYWHERE), colour=EVERYWHERE)):
        torch.testing.assert_close(drawn(backbone, latent), plain, atol=1e-5, rtol=1e-5)


def test_one_half_is_the_others_and_the_other_half_stays(backbone: Backbone) -> None:
    plain = drawn(backbone, Latent(CODE, backbone.space))
    apart = (drawn(backbone, child(backbone, (HIS, LEFT))) - plain).abs().mean(1)[0]
    assert apart[:, :12].mean() > 5 * apart[:, -8:].mean()


def test_two_people_share_what_overlaps_in_either_order(backbone: Backbone) -> None:
    both = child(backbone, (HIS, EVERYWHERE), (HERS, LEFT))
    turned = child(backbone, (HERS, LEFT), (HIS, EVERYWHERE))
    torch.testing.assert_close(drawn(backbone, both), drawn(backbone, turned), atol=1e-5, rtol=1e-5)
    alone = child(backbone, (HIS, EVERYWHERE))
    assert float((drawn(backbone, both) - drawn(backbone, alone)).abs().max()) > 1e-3


def test_maps_are_mixed_where_forms_are_made_and_where_colours_are() -> None:
    x = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    regions = Regions(HIS[None], torch.stack([LEFT, NOWHERE])[None])
    mixed = regions.mix(0, 7, x)
    assert len(mixed) == 2 and mixed[0, 0, 0].tolist() == [1.0] * 4 + [0.0] * 4
    assert len(regions.mix(3, 7, x)) == 1, "without colours the others are needed no more"
    coloured = Regions(HIS[None], torch.stack([LEFT, LEFT])[None])
    assert [len(coloured.mix(number, 7, x)) for number in (3, 4, 5)] == [2, 2, 1]
    assert bool(coloured.mix(5, 7, x)[0, :, :, :4].all())
    assert torch.equal(coloured.mix(6, 7, x[:1]), x[:1])


def test_an_edit_moves_everyone_in_the_picture(backbone: Backbone) -> None:
    latent, change = child(backbone, (HIS, LEFT)), torch.full((LAYERS, DIM), 0.25)
    detail = backbone.projector.edit_detail(latent, latent.code + change)
    torch.testing.assert_close(detail[CODES][0], HIS + change)
    assert torch.equal(detail[MAPS], latent.detail[MAPS])
    assert moved({"other": change}, change) == {"other": change}


def test_they_come_back_from_a_file_and_batches_keep_their_order(backbone: Backbone, tmp_path: Path) -> None:
    latent, plain = child(backbone, (HIS, LEFT)), Latent(HERS, backbone.space)
    save_latent(tmp_path / "child.safetensors", latent)
    again = load_latent(tmp_path / "child.safetensors", backbone.space)
    pictures = backbone.render([plain, latent, again, plain])
    assert pictures[1].tobytes() == pictures[2].tobytes() != pictures[0].tobytes() == pictures[3].tobytes()


def hostile() -> dict[str, dict[str, torch.Tensor]]:
    good = region_detail([(Latent(HIS, LatentSpace("mine", LAYERS, DIM, "0" * 64)), Region("father", LEFT, NOWHERE))])
    codes, maps = good[CODES], good[MAPS]
    return {
        "three people": {CODES: codes.repeat(3, 1, 1), MAPS: maps.repeat(3, 1, 1, 1)},
        "another space": {CODES: torch.zeros(1, LAYERS + 1, DIM), MAPS: maps},
        "nan": {CODES: codes * float("nan"), MAPS: maps},
        "half": {CODES: codes.half(), MAPS: maps},
        "float maps": {CODES: codes, MAPS: maps.float()},
        "oblong maps": {CODES: codes, MAPS: maps[..., :16]},
        "one map": {CODES: codes, MAPS: maps[:, :1]},
        "flat": {CODES: codes.flatten(), MAPS: maps},
        "maps of two": {CODES: codes, MAPS: maps.repeat(2, 1, 1, 1)},
    }


@pytest.mark.parametrize("name", sorted(hostile()))
def test_what_does_not_fit_is_refused(name: str, backbone: Backbone) -> None:
    latent = Latent(CODE, backbone.space, hostile()[name])
    with pytest.raises(InputError, match="do not fit"):
        backbone.projector.render([latent])


@pytest.mark.parametrize(("precision", "budget"), [("bf16", None), ("fp16", None), ("fp32", 60_000)])
def test_other_precisions_and_small_budgets_draw_nearly_the_same(
    pack: Path, backbone: Backbone, precision: str, budget: int | None
) -> None:
    latent = child(backbone, (HIS, LEFT), (HERS, EVERYWHERE), colour=LEFT)
    other = load_backbone(pack, DevicePool("cpu", budget, precision))
    with other.pool.lease(other.projector.module, "projector"):
        found = drawn(other, latent)
    expected = drawn(backbone, latent)
    assert float((found - expected).abs().mean() / expected.abs().mean()) < 0.05
