"""StyleGANs of 2019 from three publishers' files: drawn as a plain reading of the file draws them, or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import published_stylegan1 as published
import pytest
import torch
from plugin_site import here
from safetensors.torch import load_file
from torch import Tensor

from kinblend import Backbone, DevicePool, Latent, load_backbone
from kinblend.errors import CheckpointError, LatentSpaceError, UsageError
from kinblend.latents import save_latent
from kinblend.pack_import import import_pack
from kinblend.storage.packs import Pack
from kinblend.testing import ProjectorContract
from kinblend_plugins.stylegan1.generator import build
from kinblend_plugins.stylegan1.layers import Variant

WIDTHS = (6, 5, 5, 4, 4, 3)  # 4 to 128 px, the last reached by a transposed convolution
SMALL = WIDTHS[:3]
DIM = published.DIM
ROSINALITY, LERNAPPARAT = published.rosinality(WIDTHS), published.lernapparat(WIDTHS)
GENFORCE = published.genforce(WIDTHS)
FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "rosinality": lambda: {"generator": published.rosinality(SMALL), "g_running": ROSINALITY},
    "lernapparat": lambda: LERNAPPARAT,
    "genforce": lambda: {"generator_smooth": GENFORCE},
    "interfacegan": lambda: published.interfacegan(WIDTHS),
}
CODES = torch.randn(2, 12, DIM, generator=torch.Generator().manual_seed(1))


def imported(content: Any, folder: Path, name: str = "mine") -> Pack:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / "file.pt")
    return import_pack(folder / "file.pt", folder / "packs", name)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Imported from each publisher's file, 128 px."""
    return {kind: imported(make(), tmp_path_factory.mktemp(kind)).folder for kind, make in FILES.items()}


def noises(pack: Path) -> list[Tensor]:
    tensors = load_file(pack / "generator.safetensors")
    return [tensors[f"layers.{index}.noise"] for index in range(12)]


def expected(kind: str, codes: Tensor, maps: list[Tensor | None]) -> Tensor:
    if kind == "rosinality":
        return published.draw_rosinality(ROSINALITY, codes, maps[::2], len(WIDTHS))
    state = LERNAPPARAT
    if kind in ("genforce", "interfacegan"):  # the same weights but for the colours
        state = state | {
            f"g_synthesis.torgb.{part}": GENFORCE[f"synthesis.output5.{part}"] for part in ("weight", "bias")
        }
    return published.draw_lernapparat(state, codes, maps, 1e-5 if kind == "lernapparat" else 1e-8)


@pytest.mark.parametrize("kind", FILES)
@torch.inference_mode()
def test_pictures_are_those_of_a_plain_reading(kind: str, packs: dict[str, Path]) -> None:
    projector = load_backbone(packs[kind]).projector
    for noise, maps in (("none", [None] * 12), ("const", noises(packs[kind]))):
        picture = expected(kind, CODES, maps)
        assert picture.shape == (2, 3, 128, 128) and float((picture[0] - picture[1]).abs().mean()) > 0.1
        found = projector.synthesize(CODES, noise=noise)
        torch.testing.assert_close(found.double(), picture, atol=2e-4 * float(picture.abs().max()), rtol=0)


@pytest.mark.parametrize("kind", FILES)
def test_codes_are_those_of_a_plain_reading(kind: str, packs: dict[str, Path]) -> None:
    projector = load_backbone(packs[kind]).projector
    z = torch.randn(3, DIM, generator=torch.Generator().manual_seed(2))
    w = published.map_rosinality(ROSINALITY, z) if kind == "rosinality" else published.map_lernapparat(LERNAPPARAT, z)
    codes = projector.map(z)
    torch.testing.assert_close(codes[:, 3].double(), w, atol=1e-5, rtol=1e-5)
    middle = projector.average() + 0.5 * (codes - projector.average())
    torch.testing.assert_close(projector.map(z, 0.5), middle, atol=1e-6, rtol=0)


def test_the_average_is_the_files_or_the_mean_of_draws(packs: dict[str, Path]) -> None:
    average = load_backbone(packs["genforce"]).projector.average()
    assert torch.equal(average, GENFORCE["truncation.w_avg"].expand(12, DIM))
    projector = load_backbone(packs["lernapparat"]).projector
    codes = projector.map(torch.randn(20_000, DIM, generator=torch.Generator().manual_seed(9)))[:, 0]
    assert float((codes.mean(0) - projector.average()[0]).abs().max()) < 6 * float(codes.std(0).max()) / 10_000**0.5


def test_the_pack_says_what_it_is(packs: dict[str, Path]) -> None:
    for kind, source in (
        ("rosinality", "style-based-gan-pytorch"),
        ("lernapparat", "lernapparat"),
        ("genforce", "GenForce"),
        ("interfacegan", "InterFaceGAN"),
    ):
        description = json.loads((packs[kind] / "pack.json").read_text())
        assert (description["projector"], description["layers"], description["dim"]) == ("stylegan1", 12, DIM)
        assert (description["resolution"], description["encoder"], description["source"]) == (128, None, source)
        assert "note" not in description


def test_noise_maps_are_the_files_or_drawn_once(packs: dict[str, Path], tmp_path: Path) -> None:
    for index, noise in enumerate(noises(packs["genforce"])):
        assert torch.equal(noise, GENFORCE[f"synthesis.layer{index}.apply_noise.noise"][0, 0])
    drawn = noises(packs["rosinality"])
    assert all(torch.equal(one, other) for one, other in zip(drawn[::2], drawn[1::2], strict=True))
    assert not torch.equal(*noises(packs["lernapparat"])[:2])
    again = imported(FILES["lernapparat"](), tmp_path)
    assert again.space.sha256 == load_backbone(packs["lernapparat"]).space.sha256


@torch.inference_mode()
def test_random_noise_is_shared_as_in_training(packs: dict[str, Path]) -> None:
    source = torch.Generator().manual_seed(5)
    maps = [torch.randn(4 * 2**step, 4 * 2**step, generator=source) for step in range(6)]
    picture = published.draw_rosinality(ROSINALITY, CODES, maps, 6)
    found = load_backbone(packs["rosinality"]).projector.synthesize(CODES, noise="random", seed=5)
    torch.testing.assert_close(found.double(), picture, atol=2e-4 * float(picture.abs().max()), rtol=0)


@torch.inference_mode()
def test_sizes_that_were_never_trained_are_left_out(tmp_path: Path) -> None:
    state = published.rosinality((6, 5, 5, 4), trained=3)
    pack = imported({"g_running": state}, tmp_path)
    assert pack.resolution == 16
    assert pack.description["note"] == "it was trained up to 16 px; its layers for larger pictures are left out"
    picture = published.draw_rosinality(state, CODES[:, :6], [None] * 3, 3)
    found = load_backbone(pack.folder).projector.synthesize(CODES[:, :6], noise="none")
    torch.testing.assert_close(found.double(), picture, atol=2e-4 * float(picture.abs().max()), rtol=0)


def test_style_weights_are_what_codes_are_multiplied_by(packs: dict[str, Path]) -> None:
    projector = load_backbone(packs["lernapparat"]).projector
    weights = projector.style_weights()
    state = LERNAPPARAT["g_synthesis.blocks.8x8.epi1.style_mod.lin.weight"]
    torch.testing.assert_close(weights[2], state / DIM**0.5)
    assert [len(weight) for weight in weights] == [2 * width for width in WIDTHS for _ in range(2)]


def test_layer_groups_hold_every_layer_once(packs: dict[str, Path]) -> None:
    groups = load_backbone(packs["lernapparat"]).projector.layer_groups()
    assert groups == {"shape": (0, 3), "features": (4, 7), "complexion and detail": (8, 11)}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@torch.inference_mode()
def test_half_precision_gives_nearly_the_same_pictures(packs: dict[str, Path], precision: str) -> None:
    expected = load_backbone(packs["lernapparat"]).projector.synthesize(CODES)
    backbone = load_backbone(packs["lernapparat"], DevicePool("cpu", None, precision))
    with backbone.pool.lease(backbone.projector.module, "projector"):
        found = backbone.projector.synthesize(CODES)
    error = float((found - expected).square().mean().sqrt() / expected.std())
    assert 0 < error < 0.05


def test_many_codes_are_drawn_a_few_at_a_time(packs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    backbone = load_backbone(packs["genforce"])
    backbone.projector.module.register_forward_hook(lambda _, given, __: drawn.append(len(given[0])))
    codes = CODES[:, :12].repeat(3, 1, 1)[:5]
    together = backbone.projector.synthesize(codes)
    monkeypatch.setattr("kinblend_plugins.stylegan1.projector.TOGETHER", 2 * backbone.projector.resolution**2)
    torch.testing.assert_close(backbone.projector.synthesize(codes), together, atol=1e-5, rtol=1e-4)
    assert drawn == [5, 2, 2, 1]


class TestProjector(ProjectorContract):
    backbone = Path()

    @pytest.fixture(autouse=True)
    def _pack(self, packs: dict[str, Path]) -> None:
        type(self).backbone = packs["rosinality"]


def test_projection_starts_where_it_is_told_and_ends_when_it_is_told(packs: dict[str, Path]) -> None:
    backbone = load_backbone(packs["lernapparat"])
    [picture] = backbone.render([Latent(CODES[0], backbone.space)])
    start = Latent(CODES[1], backbone.space)
    torch.testing.assert_close(backbone.project(picture, steps=0, start=start).code, CODES[1], atol=1e-4, rtol=0)
    told: list[int] = []
    backbone.project(picture, steps=9, progress=lambda now: bool(told.append(now.step)))
    assert told == [1]
    with pytest.raises(UsageError, match="give 0 or more"):
        backbone.project(picture, steps=-1)
    foreign = Latent(CODES[0], load_backbone(packs["genforce"]).space)
    with pytest.raises(LatentSpaceError):
        backbone.project(picture, steps=1, start=foreign)


def test_a_child_is_drawn_from_two_latents(packs: dict[str, Path], tmp_path: Path) -> None:
    """Import → latents → blend → picture, by the commands."""
    backbone: Backbone = load_backbone(packs["genforce"])
    codes = backbone.projector.map(torch.randn(2, DIM, generator=torch.Generator().manual_seed(3)))
    for name, code in zip("fm", codes, strict=True):
        save_latent(tmp_path / f"{name}.safetensors", Latent(code, backbone.space))
    f, m, child = (tmp_path / f"{name}.safetensors" for name in ("f", "m", "child"))
    code, _, error = here("blend", f, m, "--backbone", packs["genforce"], "--out", child, KINBLEND_HOME=tmp_path)
    assert code == 0, error
    code, _, error = here(
        "render", child, "--backbone", packs["genforce"], "--out", tmp_path / "c.png", KINBLEND_HOME=tmp_path
    )
    assert code == 0, error
    assert (tmp_path / "c.png").stat().st_size > 1000


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in state.items() if key != name}


SMALL_ROSINALITY, SMALL_LERNAPPARAT = published.rosinality(SMALL), published.lernapparat(SMALL)
SMALL_GENFORCE = published.genforce(SMALL)
BLUR = "g_synthesis.blocks.8x8.conv0_up.intermediate.kernel"
BROKEN: dict[str, tuple[Callable[[], Any], str]] = {
    "no constant": (
        lambda: {"g_running": without(SMALL_ROSINALITY, "generator.progression.0.conv1.input")},
        r"lacks generator\.progression\.0\.conv1\.input",
    ),
    "no convolution": (
        lambda: {"g_running": without(SMALL_ROSINALITY, "generator.progression.1.conv2.conv.weight_orig")},
        r"file\.pt lacks a tensor of its generator: generator\.progression\.1\.conv2\.conv\.weight_orig",
    ),
    "no mapping network": (
        lambda: {k: v for k, v in SMALL_ROSINALITY.items() if not k.startswith("style.")}, "and 0 of mapping",
    ),
    "a mapping network alone": (
        lambda: {k: v for k, v in SMALL_LERNAPPARAT.items() if k.startswith("g_mapping")},
        r"lacks g_synthesis\.blocks\.4x4\.const",
    ),
    "no style": (
        lambda: without(SMALL_LERNAPPARAT, "g_synthesis.blocks.8x8.epi2.style_mod.lin.bias"),
        r"lacks a tensor of its generator: g_synthesis\.blocks\.8x8\.epi2\.style_mod\.lin\.bias",
    ),
    "no noise": (
        lambda: without(SMALL_GENFORCE, "synthesis.layer3.apply_noise.weight"),
        r"lacks a tensor of its generator: synthesis\.layer3\.apply_noise\.weight",
    ),
    "a missing size": (
        lambda: {k: v for k, v in SMALL_LERNAPPARAT.items() if ".8x8." not in k}, "are not 4x4, 8x8, 16x16",
    ),
    "a missing layer": (
        lambda: {k: v for k, v in SMALL_GENFORCE.items() if ".layer2." not in k}, "are not two for each size",
    ),
    "a shape": (
        lambda: SMALL_LERNAPPARAT | {"g_synthesis.blocks.8x8.conv1.weight": torch.ones(5, 4, 3, 3)},
        r"g_synthesis\.blocks\.8x8\.conv1\.weight as float32 \[5, 4, 3, 3\]; floats \[5, 5, 3, 3\] are needed",
    ),
    "dimensions": (
        lambda: SMALL_ROSINALITY | {"generator.to_rgb.2.conv.bias": torch.ones(3, 1)},
        r"generator\.to_rgb\.2\.conv\.bias as float32 \[3, 1\]; floats \[3\] are needed",
    ),
    "no channels": (
        lambda: SMALL_LERNAPPARAT | {"g_synthesis.blocks.4x4.const": torch.ones(1, 0, 4, 4)},
        r"const as float32 \[1, 0, 4, 4\]; floats \[1, any, 4, 4\] are needed",
    ),
    "unequal z and w": (
        lambda: SMALL_GENFORCE | {"mapping.dense0.weight": torch.ones(DIM, 3)},
        rf"mapping\.dense0\.weight as float32 \[{DIM}, 3\]; floats \[{DIM}, {DIM}\]",
    ),
    "whole numbers": (
        lambda: SMALL_GENFORCE | {"synthesis.layer1.bias": torch.ones(6, dtype=torch.int32)},
        r"synthesis\.layer1\.bias as int32",
    ),
    "NaN": (
        lambda: SMALL_GENFORCE | {"synthesis.layer1.bias": torch.full((6,), torch.nan)},
        r"its tensor synthesis\.layer1\.bias holds NaN",
    ),
    "a claimed size": (
        lambda: SMALL_GENFORCE | {"synthesis.layer1.bias": torch.zeros(1).expand(10**12)},
        r"elements|more",
    ),
    "another blur": (
        lambda: SMALL_LERNAPPARAT | {BLUR: torch.ones(1, 1, 3, 3) / 9},
        r"blurs by another kernel than \[1, 2, 1\]: its tensor g_synthesis\.blocks\.8x8",
    ),
    "something more": (
        lambda: SMALL_LERNAPPARAT | {"g_synthesis.attention.weight": torch.ones(3)},
        r"no such generator has g_synthesis\.attention\.weight",
    ),
    "no layer of InterFaceGAN's": (
        lambda: without(published.interfacegan(SMALL), "synthesis.layer3.epilogue.style_mod.dense.wscale.bias"),
        r"lacks a tensor of its generator: synthesis\.layer3\.epilogue\.style_mod\.dense\.wscale\.bias",
    ),
    "no constant of InterFaceGAN's": (
        lambda: without(published.interfacegan(SMALL), "synthesis.layer0.first_layer"),
        r"lacks synthesis\.layer0\.first_layer",
    ),
    "a growing one": (
        lambda: SMALL_GENFORCE | {"synthesis.lod": torch.ones(())}, r"synthesis\.lod is not 0",
    ),
    "an early version": (
        lambda: SMALL_ROSINALITY | {"generator.progression.1.conv1.conv.weight_orig": torch.ones(5, 6, 3, 3)},
        "before July 2019",
    ),
    "another average": (
        lambda: SMALL_GENFORCE | {"truncation.w_avg": torch.ones(DIM + 1)},
        rf"latent average of shape \[{DIM + 1}\]; \[{DIM}\] is needed",
    ),
    "ten sizes": (lambda: published.lernapparat([2] * 10), "has 20 layers of synthesis"),
    "a discriminator": (
        lambda: {"discriminator": {"progression.0.conv1.0.conv.weight_orig": torch.ones(3)}},
        r"lacks generator\.progression\.0\.conv1\.input.*it holds discriminator\.progression",
    ),
    "two generators": (
        lambda: {"net_a": SMALL_GENFORCE, "net_b": SMALL_GENFORCE}, r"several generators \(net_a, net_b\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_does_not_fit_is_said_in_one_sentence(kind: str, tmp_path: Path) -> None:
    make, said = BROKEN[kind]
    with pytest.raises(CheckpointError, match=said) as caught:
        imported(make(), tmp_path)
    assert "\n" not in str(caught.value) and "file.pt" in str(caught.value)
    assert list((tmp_path / "packs").iterdir()) == []


@pytest.mark.parametrize("change", ["missing", "shape"])
def test_a_pack_whose_generator_was_changed_is_refused(change: str, packs: dict[str, Path], tmp_path: Path) -> None:
    tensors = load_file(packs["genforce"] / "generator.safetensors")
    if change == "missing":
        del tensors["layers.3.style.bias"]
    else:
        tensors["layers.3.style.bias"] = torch.ones(3)
    with pytest.raises(CheckpointError, match=r"layers\.3\.style\.bias"):
        build(tensors, Variant())
