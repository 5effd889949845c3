"""StyleGAN3, configurations T and R: drawn as a plain reading of the file draws it, without aliasing, or refused."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import published_stylegan3 as published
import pytest
import torch
from plugin_site import here
from published_checkpoints import write_nvidia
from published_stylegan3 import DIM, Recipe, settings_of, state_of
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinblend import Backbone, DevicePool, Latent, load_backbone
from kinblend.errors import CheckpointError
from kinblend.latents import save_latent
from kinblend.pack_import import import_pack
from kinblend.storage.packs import Pack
from kinblend.testing import ProjectorContract
from kinblend_plugins.stylegan3.filters import Design, low_pass
from kinblend_plugins.stylegan3.generator import Generator, build
from kinblend_plugins.stylegan3.geometry import from_settings
from kinblend_plugins.stylegan3.layers import upsample

RECIPES = {
    "T": Recipe(),
    "R": Recipe(kernel=1, radial=True, channels=7),
    "T64": Recipe(64, layers=8, channels=4),  # a layer that gets finer by four, and coarser by two
}
CODES = torch.randn(2, 10, DIM, generator=torch.Generator().manual_seed(1))


def imported(content: Any, folder: Path, name: str = "mine") -> Pack:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / "file.pt")
    return import_pack(folder / "file.pt", folder / "packs", name)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Imported from a `.pkl` of each recipe."""
    found = {}
    for name, recipe in RECIPES.items():
        folder = tmp_path_factory.mktemp(name)
        write_nvidia(folder / "g.pkl", state_of(recipe), settings=settings_of(recipe))
        found[name] = import_pack(folder / "g.pkl", folder / "packs", "mine").folder
    return found


@pytest.mark.parametrize("name", RECIPES)
@torch.inference_mode()
def test_pictures_are_those_of_a_plain_reading(name: str, packs: dict[str, Path]) -> None:
    recipe, projector = RECIPES[name], load_backbone(packs[name]).projector
    codes = CODES[:, : recipe.layers + 2]
    found = projector.synthesize(codes).double().numpy()
    assert found.shape == (2, 3, recipe.resolution, recipe.resolution)
    assert np.abs(found[0] - found[1]).mean() > 0.2 * found.std()
    for picture, code in zip(found, codes, strict=True):
        expected = published.draw_picture(recipe, state_of(recipe), code)
        np.testing.assert_allclose(picture, expected, atol=1e-4 * np.abs(expected).max())


@torch.inference_mode()
def test_codes_are_those_of_a_plain_reading(packs: dict[str, Path]) -> None:
    projector, state = load_backbone(packs["T"]).projector, state_of(RECIPES["T"])
    z = torch.randn(3, DIM, generator=torch.Generator().manual_seed(2))
    codes = projector.map(z)
    torch.testing.assert_close(codes[:, 2].double(), published.map_code(state, z), atol=1e-5, rtol=1e-5)
    assert torch.equal(projector.average(), state["mapping.w_avg"].expand(8, DIM))
    middle = projector.average() + 0.5 * (codes - projector.average())
    torch.testing.assert_close(projector.map(z, 0.5), middle, atol=1e-6, rtol=0)


@pytest.mark.parametrize("taps", [2, 12, 24])
def test_filters_are_scipys(taps: int) -> None:
    import scipy.signal

    for cutoff, width, rate in ((2.0, 12.0, 32), (3.2, 5.0, 32), (100.0, 60.0, 512)):
        expected = scipy.signal.firwin(taps, cutoff, width=width, fs=rate)
        np.testing.assert_allclose(low_pass(taps, cutoff, width, rate).numpy(), expected, atol=1e-7)
    radial = low_pass(taps, 3.2, 5.0, 32, radial=True)
    assert torch.equal(radial, radial.T) and float(radial.sum()) == pytest.approx(1)
    turned = low_pass(taps + 1, 3.2, 5.0, 32, radial=True)  # has a middle, where the waves are 0 / 0
    assert bool(torch.isfinite(turned).all()) and float(turned.max()) == float(turned[taps // 2, taps // 2])


def test_the_design_is_nvidias() -> None:
    """Sizes and channels stand in the names of the layers of NVIDIA's stylegan3-t-ffhq-1024x1024 and -256x256."""
    assert Design(1024).sizes() == [36, 36, 52, 52, 84, 148, 148, 276, 276, 532, 1044, 1044, 1044, 1024, 1024]
    assert Design(256).sizes() == [36, 36, 36, 52, 52, 84, 84, 148, 148, 148, 276, 276, 276, 256, 256]
    assert [min(round(16384 / cutoff), 512) for cutoff in Design(1024).cutoffs()][-5:] == [81, 51, 32, 32, 32]


def test_upsampling_is_numpys() -> None:
    x = torch.randn(1, 2, 9, 9, dtype=torch.float64)
    taps = torch.rand(12, dtype=torch.float64)
    for padding in ((9, 8), (-3, 2), (-4, -2), (0, 0), (13, 15)):
        fine = np.zeros((18, 18))
        fine[::2, ::2] = x[0, 1].numpy()
        for axis in (0, 1):
            fine = published._padded(fine, *padding, axis)
            fine = np.apply_along_axis(np.convolve, axis, fine, taps.numpy() * 2, "valid")
        np.testing.assert_allclose(upsample(x, taps, 2, padding)[0, 1].numpy(), fine, atol=1e-12)


def test_the_pack_says_what_it_is(packs: dict[str, Path]) -> None:
    for name, recipe in RECIPES.items():
        description = json.loads((packs[name] / "pack.json").read_text())
        assert (description["projector"], description["encoder"], description["dim"]) == ("stylegan3", None, DIM)
        assert (description["resolution"], description["layers"]) == (recipe.resolution, recipe.layers + 2)
        assert description["summary"].startswith(f"StyleGAN3-{name[0]} at {recipe.resolution} px")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("write", ["torch", "bare", "safetensors", "without filters"])
@torch.inference_mode()
def test_a_state_dict_is_read_as_the_pickle_is(name: str, write: str, packs: dict[str, Path], tmp_path: Path) -> None:
    recipe = RECIPES[name]
    state = state_of(recipe, filters=write != "without filters")
    sizes = {"num_critical": "2", "first_cutoff": "2.0"}
    if write == "safetensors":
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, tmp_path / "file.pt", sizes)
    else:
        torch.save(state if write == "bare" else {"G_ema": state}, tmp_path / "file.pt")
    pack = import_pack(tmp_path / "file.pt", tmp_path / "packs", "mine")
    codes = CODES[:, : recipe.layers + 2]
    found, expected = (load_backbone(folder).projector.synthesize(codes) for folder in (pack.folder, packs[name]))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@torch.inference_mode()
def test_names_without_the_parts_before_them_are_read(packs: dict[str, Path], tmp_path: Path) -> None:
    state = {key.partition(".")[2]: tensor for key, tensor in state_of(RECIPES["T"]).items()}
    pack = imported({"state_dict": state}, tmp_path)
    assert torch.equal(
        load_backbone(pack.folder).projector.synthesize(CODES[:, :8]),
        load_backbone(packs["T"]).projector.synthesize(CODES[:, :8]),
    )


@torch.inference_mode()
def test_an_unusual_design_is_read_from_its_pickle_or_its_numbers(tmp_path: Path) -> None:
    recipe = Recipe(first_cutoff=2.5, first_stopband=5.5, margin=7, channels=3, filter_size=4)
    state = state_of(recipe)
    with pytest.raises(CheckpointError, match=r"other sizes than NVIDIA's design .*give its \.pkl.*first_cutoff"):
        imported(state, tmp_path / "bare")
    write_nvidia(tmp_path / "g.pkl", state, settings=settings_of(recipe))
    from_pickle = import_pack(tmp_path / "g.pkl", tmp_path / "packs", "pickle")
    kept = {"first_cutoff": 2.5, "first_stopband": 5.5, "margin_size": 7, "filter_size": 4}
    told = imported({"G_ema": state, "synthesis_kwargs": kept}, tmp_path / "told")
    expected = published.draw_picture(recipe, state, CODES[0, :8])
    for pack in (from_pickle, told):
        found = load_backbone(pack.folder).projector.synthesize(CODES[:1, :8])[0].double().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@torch.inference_mode()
def test_the_clamp_is_kept(tmp_path: Path) -> None:
    recipe = RECIPES["T"]
    for name, clamp in (("tight", 0.5), ("none", None)):
        said = {key: clamp if key.endswith("conv_clamp") else value for key, value in settings_of(recipe).items()}
        write_nvidia(tmp_path / f"{name}.pkl", state_of(recipe), settings=said)
        pack = import_pack(tmp_path / f"{name}.pkl", tmp_path / "packs", name)
        assert pack.settings["conv_clamp"] == clamp
        found = load_backbone(pack.folder).projector.synthesize(CODES[:1, :8])[0].double().numpy()
        expected = published.draw_picture(recipe, state_of(recipe), CODES[0, :8], clamp or math.inf)
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def moved(generator: Generator, codes: Tensor, pixels: float) -> Tensor:
    """Pictures whose content lies so many pixels further right."""
    transform = torch.eye(3)
    transform[0, 2] = -pixels / generator.geometry.resolution
    generator.input.transform.copy_(transform)
    picture = generator(codes)
    generator.input.transform.copy_(torch.eye(3))
    return picture


@torch.inference_mode()
def test_details_move_with_the_picture() -> None:
    """Equivariance to translation (section 3 of the paper): what configuration T is made for."""
    recipe = Recipe(64, layers=10, channels=8)
    generator = build(*_translated(state_of(recipe), settings_of(recipe)))
    assert min(equivariance(generator, pixels) for pixels in (1, 3, 8)) > 35
    for layer in generator.layers[:-1]:  # the same network, filtered badly
        layer.up_filter.copy_(torch.tensor([1.0] * layer.up + [0.0] * (len(layer.up_filter) - layer.up)) / layer.up)
    assert min(equivariance(generator, pixels) for pixels in (1, 3, 8)) < 15


def equivariance(generator: Generator, pixels: int) -> float:
    """How much smaller the error is than what moving the content changes, in dB."""
    codes = CODES[:1, :1].expand(-1, generator.codes, -1)
    still, away = generator(codes), moved(generator, codes, pixels)
    error = (away[..., pixels:] - still[..., :-pixels]).square().mean()
    return float(10 * torch.log10((away - still).square().mean() / error))


def _translated(state: dict[str, Tensor], said: dict[str, object]) -> tuple[dict[str, Tensor], Any]:
    from kinblend_plugins.stylegan3.published import Published
    from kinblend_plugins.stylegan3.translate import translate

    return translate(Published(state, said, ""))


def test_style_weights_are_what_codes_are_multiplied_by(packs: dict[str, Path]) -> None:
    weights, state = load_backbone(packs["T"]).projector.style_weights(), state_of(RECIPES["T"])
    assert [len(weight) for weight in weights] == [4, *[6] * 7]
    torch.testing.assert_close(weights[0], state["synthesis.input.affine.weight"] / DIM**0.5)
    torch.testing.assert_close(weights[1], state["synthesis.L0_36_6.affine.weight"] / DIM**0.5)
    torch.testing.assert_close(weights[7], state["synthesis.L6_32_3.affine.weight"] / (DIM * 6) ** 0.5)


def test_layer_groups_hold_every_layer_once(packs: dict[str, Path]) -> None:
    for name, recipe in RECIPES.items():
        ranges = list(load_backbone(packs[name]).projector.layer_groups().values())
        covered = [layer for first, last in ranges for layer in range(first, last + 1)]
        assert covered == list(range(recipe.layers + 2))


@torch.inference_mode()
def test_it_stays_in_float32(packs: dict[str, Path]) -> None:
    expected = load_backbone(packs["R"]).projector.synthesize(CODES[:, :8])
    backbone = load_backbone(packs["R"], DevicePool("cpu", None, "bf16"))
    with backbone.pool.lease(backbone.projector.module, "projector"):
        assert torch.equal(backbone.projector.synthesize(CODES[:, :8]), expected)


def test_pictures_with_and_without_gradients_are_the_same(packs: dict[str, Path]) -> None:
    recipe = Recipe(16, layers=3, channels=20)  # more channels than are filtered at once
    generator = build(*_translated(state_of(recipe), settings_of(recipe)))
    codes = CODES[:, :5].clone().requires_grad_()
    drawn = generator(codes)
    [gradient] = torch.autograd.grad(drawn.square().mean(), codes)
    assert bool((gradient.abs().sum(2) > 0).all())
    with torch.inference_mode():
        torch.testing.assert_close(generator(CODES[:, :5]), drawn.detach(), atol=1e-6, rtol=1e-5)


def test_many_codes_are_drawn_a_few_at_a_time(packs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    backbone = load_backbone(packs["T"])
    backbone.projector.module.register_forward_hook(lambda _, given, __: drawn.append(len(given[0])))
    codes = CODES[:, :8].repeat(3, 1, 1)[:5]
    together = backbone.projector.synthesize(codes)
    monkeypatch.setattr("kinblend_plugins.stylegan3.projector.TOGETHER", 2 * backbone.projector.resolution**2)
    torch.testing.assert_close(backbone.projector.synthesize(codes), together, atol=1e-5, rtol=1e-4)
    assert drawn == [5, 2, 2, 1]


class TestProjectorT(ProjectorContract):
    backbone = Path()

    @pytest.fixture(autouse=True)
    def _pack(self, packs: dict[str, Path]) -> None:
        type(self).backbone = packs["T"]


class TestProjectorR(ProjectorContract):
    backbone = Path()

    @pytest.fixture(autouse=True)
    def _pack(self, packs: dict[str, Path]) -> None:
        type(self).backbone = packs["R"]


def test_a_child_is_drawn_from_two_latents(packs: dict[str, Path], tmp_path: Path) -> None:
    """Import → latents → blend → picture, by the commands."""
    backbone: Backbone = load_backbone(packs["T"])
    codes = backbone.projector.map(torch.randn(2, DIM, generator=torch.Generator().manual_seed(3)))
    for name, code in zip("fm", codes, strict=True):
        save_latent(tmp_path / f"{name}.safetensors", Latent(code, backbone.space))
    f, m, child = (tmp_path / f"{name}.safetensors" for name in ("f", "m", "child"))
    code, _, error = here("blend", f, m, "--backbone", packs["T"], "--out", child, KINBLEND_HOME=tmp_path)
    assert code == 0, error
    picture = tmp_path / "child.png"
    code, _, error = here("render", child, "--backbone", packs["T"], "--out", picture, KINBLEND_HOME=tmp_path)
    assert code == 0, error
    assert picture.stat().st_size > 500


STATE = state_of(RECIPES["T"])


def renamed(old: str, new: str) -> dict[str, Tensor]:
    return {key.replace(old, new): tensor for key, tensor in STATE.items()}


def without(pattern: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in STATE.items() if pattern not in key}


L1 = "synthesis.L1_36_6."
BROKEN: dict[str, tuple[Callable[[], Any], str]] = {
    "no frequencies": (lambda: {"G_ema": without("freqs")}, r"file\.pt lacks synthesis\.input\.freqs"),
    "no phases": (lambda: without("phases"), r"lacks a tensor of its generator: synthesis\.input\.phases"),
    "no weight": (lambda: without(f"{L1}weight"), r"lacks a tensor of its generator: synthesis\.L1_36_6\.weight"),
    "no magnitude": (lambda: without(f"{L1}magnitude_ema"), r"synthesis\.L1_36_6\.magnitude_ema"),
    "no layer": (lambda: without(L1), r"its synthesis\.L\* are not L0, L1"),
    "two of a layer": (lambda: STATE | {"synthesis.L1_52_6.bias": torch.ones(6)}, "two layers 1: L1_36_6, L1_52_6"),
    "no mapping network": (lambda: without("mapping.fc"), r"lacks the mapping network of its generator"),
    "no average": (lambda: without("w_avg"), r"lacks a tensor of its generator: mapping\.w_avg"),
    "a shape": (
        lambda: STATE | {f"{L1}weight": torch.ones(6, 5, 3, 3)},
        r"synthesis\.L1_36_6\.weight as float32 \[6, 5, 3, 3\]; floats \[6, 6, any, any\] are needed",
    ),
    "a kernel": (lambda: STATE | {f"{L1}weight": torch.ones(6, 6, 5, 5)}, r"kernels of 5 × 5 in synthesis\.L1_36_6"),
    "an empty output": (lambda: STATE | {f"{L1}weight": torch.zeros(6, 6, 3, 3)}, "without weights in its tensor"),
    "a magnitude": (lambda: STATE | {f"{L1}magnitude_ema": torch.zeros(())}, r"magnitude_ema of 0\.0"),
    "NaN": (lambda: STATE | {f"{L1}bias": torch.full((6,), torch.nan)}, r"synthesis\.L1_36_6\.bias holds NaN"),
    "whole numbers": (lambda: STATE | {f"{L1}bias": torch.ones(6, dtype=torch.int8)}, r"L1_36_6\.bias as int8"),
    "a claimed size": (lambda: STATE | {f"{L1}bias": torch.zeros(1).expand(10**12)}, "elements"),
    "a huge picture": (
        lambda: {key.replace("_32_", "_33554432_"): tensor for key, tensor in STATE.items()},
        "numbers that no StyleGAN3 has",
    ),
    "another size": (lambda: renamed("L1_36_", "L1_44_"), r"other sizes than NVIDIA's design \(36, 44"),
    "another filter": (
        lambda: STATE | {f"{L1}up_filter": torch.ones(12) / 12}, r"another filter in synthesis\.L1_36_6\.up_filter",
    ),
    "a flat filter": (lambda: STATE | {f"{L1}up_filter": torch.ones(12, 12)}, r"filter synthesis.* \[12, 12\]"),
    "labels": (lambda: STATE | {"mapping.embed.weight": torch.ones(DIM, 3)}, "conditional generator"),
    "something more": (lambda: STATE | {"synthesis.attention": torch.ones(3)}, r"no such one has synthesis\.att"),
    "unequal z and w": (
        lambda: STATE | {"mapping.fc0.weight": torch.ones(DIM, 4)}, rf"mapping\.fc0\.weight as float32 \[{DIM}, 4\]",
    ),
    "numbers of no design": (lambda: {"G_ema": STATE, "margin_size": -3}, "numbers that no StyleGAN3 has"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_does_not_fit_is_said_in_one_sentence(kind: str, tmp_path: Path) -> None:
    make, said = BROKEN[kind]
    with pytest.raises(CheckpointError, match=said) as caught:
        imported(make(), tmp_path)
    assert "\n" not in str(caught.value) and "file.pt" in str(caught.value)
    assert list((tmp_path / "packs").iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("synthesis.L1_36_6.up_factor", 10**6, "resamples a layer by 1000000/2"),
        ("synthesis.L1_36_6.up_factor", 4, "has a layer 2 of 52 px at 64 px per picture"),
        ("synthesis.input.bandwidth", 1e30, "bandwidth"),
        ("synthesis.input.sampling_rate", 2**20, "has a layer 0 of 36 px"),
        ("synthesis.output_scale", 1e400, None),
        ("synthesis.L1_36_6.conv_clamp", "x", "clamps its layers at different values"),
    ],
)
def test_a_pickle_that_lies_is_refused(setting: str, value: object, said: str | None, tmp_path: Path) -> None:
    recipe = RECIPES["T"]
    write_nvidia(tmp_path / "g.pkl", STATE, settings=settings_of(recipe) | {setting: value})
    if said is None:  # no number at all: NVIDIA's own is taken
        assert import_pack(tmp_path / "g.pkl", tmp_path / "packs", "mine").settings["scale"] == 0.25
        return
    with pytest.raises(CheckpointError, match=said):
        import_pack(tmp_path / "g.pkl", tmp_path / "packs", "mine")


@pytest.mark.parametrize(
    "change",
    [
        {"layers": None},
        {"layers": [[36, 2]]},
        {"layers": [[36, 0, 1]] * 4},
        {"layers": [[36, 1, 0]] * 4},
        {"layers": [[36, 2, 2]] * 8},
        {"rate": "x"},
        {"scale": math.nan},
        {"bandwidth": 0},
    ],
)
def test_a_pack_with_other_settings_is_refused(change: dict[str, Any], packs: dict[str, Path]) -> None:
    settings = json.loads((packs["T"] / "pack.json").read_text())["settings"]
    assert from_settings(settings).settings() == settings
    with pytest.raises(CheckpointError):
        from_settings(settings | change)


@pytest.mark.parametrize("name", ["layers.2.bias", "layers.2.up_filter", "layers.1.down_filter", "input.phases"])
def test_a_pack_whose_generator_was_changed_is_refused(name: str, packs: dict[str, Path]) -> None:
    tensors = load_file(packs["T"] / "generator.safetensors")
    geometry = from_settings(json.loads((packs["T"] / "pack.json").read_text())["settings"])
    for changed in ({}, {name: torch.ones(1000, 2, 3)}, {name: torch.ones(2000)}):
        others = {key: tensor for key, tensor in tensors.items() if key != name}
        with pytest.raises(CheckpointError, match=rf"tensor {name.replace('.', '[.]')}|tensor \w+\.\S+ has shape"):
            build(others | changed, geometry)
