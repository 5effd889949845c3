"""Checkpoints as people have them: whatever wraps the networks, they are found, or it is said what is missing."""

import argparse
import datetime
import io
import json
import pathlib
import pickle
import tempfile
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published_checkpoints import in_nvidias_names, in_rosinalitys_names, toy, write_nvidia
from recipes import cases
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinblend import load_backbone
from kinblend.backbone import make_plugin
from kinblend.errors import CheckpointError
from kinblend.pack_import import import_pack
from kinblend.storage.packs import Pack, open_pack
from kinblend_plugins.importers.stylegan2 import import_e4e, import_nvidia, import_rosinality

TOY = toy(16, 3)
ROSINALITY, NVIDIA = in_rosinalitys_names(TOY), in_nvidias_names(TOY)
LAYERS = TOY.layers
AVERAGE = torch.linspace(-1, 1, 512)
# The importer looks at names and shapes alone; the network itself has 200 million weights.
ENCODER = {
    "input_layer.0.weight": torch.ones(64, 3, 3, 3),
    "input_layer.1.num_batches_tracked": torch.tensor(7),
    "styles.0.linear.weight": torch.ones(4, 4),
}
PREFIXES = (
    "",
    "module.",
    "model.",
    "net.",
    "_orig_mod.",
    "generator.",
    "g_ema.",
    "decoder.",
    "netG.module.",
    "ema_model.",
)
WRAPPERS = (
    "state_dict",
    "model",
    "params_ema",
    "params",
    "g_ema",
    "g",
    "generator",
    "model_state_dict",
    "weights",
    "net",
)


def with_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def in_basicsrs_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As XPixelGroup/BasicSR has them."""
    found = {}
    for name, tensor in state.items():
        if name.endswith(".noise.weight"):
            tensor = tensor.reshape(1)
        for theirs, ours in (
            ("input.input", "constant_input.weight"),
            (".noise.weight", ".weight"),
            (".conv.", ".modulated_conv."),
            ("noises.noise_", "noises.noise"),
        ):
            name = name.replace(theirs, ours)
        if name.startswith(("conv1.", "convs.", "style.")):
            name = {"conv1": "style_conv1", "convs": "style_convs", "style": "style_mlp"}[name.split(".")[0]] + name[
                name.index(".") :
            ]
        found[name] = tensor
    return found


def e4e(**changed: Any) -> dict[str, Any]:
    """A checkpoint of encoder4editing; what is None is left out."""
    state = with_prefix(ENCODER, "encoder.") | with_prefix(ROSINALITY, "decoder.")
    whole = {
        "state_dict": state,
        "latent_avg": AVERAGE.expand(LAYERS, 512).clone(),
        "opts": {"encoder_type": "Encoder4Editing", "start_from_latent_avg": True},
    } | changed
    return {key: value for key, value in whole.items() if value is not None}


def imported(content: Any, folder: Path, importer: Callable[..., Path | None] = import_e4e) -> Pack | None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / "file.pt")
    made = importer(folder / "file.pt", folder / "pack", "pack")
    return None if made is None else open_pack(made)


def generator_of(pack: Pack | None) -> dict[str, Tensor]:
    assert pack is not None
    return load_file(pack.files["generator.safetensors"])


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def as_torch(content: Any, path: Path) -> None:
    torch.save(content, path)


def as_legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def as_pickle(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def as_safetensors(content: Any, path: Path) -> None:
    """Nested names get dots, as whoever converts a checkpoint writes them."""
    flat, waiting = {}, [("", content)]
    while waiting:
        prefix, held = waiting.pop()
        for name, value in held.items():
            if isinstance(value, Tensor):
                flat[prefix + name] = value.contiguous().clone()
            else:
                waiting.append((f"{prefix}{name}.", value))
    save_file(flat, path)


@settings(max_examples=60, deadline=None)
@given(
    names=st.sampled_from(["rosinality", "nvidia", "basicsr"]),
    prefix=st.sampled_from(PREFIXES),
    wrappers=st.lists(st.sampled_from(WRAPPERS), max_size=3),
    write=st.sampled_from([as_torch, as_legacy, as_pickle, as_safetensors]),
    suffix=st.sampled_from([".pt", ".pth", ".pkl", ".ckpt", ".safetensors", ".bin"]),
)
def test_a_generator_is_found_whatever_wraps_it(
    names: str, prefix: str, wrappers: list[str], write: Callable[[Any, Path], None], suffix: str
) -> None:
    state = {"rosinality": ROSINALITY, "nvidia": NVIDIA, "basicsr": in_basicsrs_names(ROSINALITY)}[names]
    content: Any = with_prefix(state, prefix)
    for wrapper in wrappers:
        content = {wrapper: content}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        write(content, path)
        importers = (import_nvidia, import_rosinality) if names == "nvidia" else (import_rosinality, import_nvidia)
        made = importers[0](path, Path(folder) / "pack", "pack")
        assert importers[1](path, Path(folder) / "other", "other") is None
        assert import_e4e(path, Path(folder) / "other", "other") is None
        assert made is not None
        assert_same(load_file(made / "generator.safetensors"), NVIDIA if names == "nvidia" else ROSINALITY)


@settings(max_examples=40, deadline=None)
@given(
    prefix=st.sampled_from(["", "module.", "net.", "pSp.", "_orig_mod.module."]),
    wrapper=st.sampled_from(["state_dict", "model", "model_state_dict", ""]),
    shape=st.sampled_from([(512,), (1, 512), (1, 1, 512), (LAYERS, 512), (1, LAYERS, 512), (18, 512), (1, 18, 512)]),
    array=st.booleans(),
    name=st.sampled_from(["latent_avg", "w_avg", "mean_latent"]),
)
def test_an_encoder_with_an_average_of_any_shape(
    prefix: str, wrapper: str, shape: tuple[int, ...], array: bool, name: str
) -> None:
    state = with_prefix(ENCODER, f"{prefix}encoder.") | with_prefix(ROSINALITY, f"{prefix}decoder.")
    average: Any = AVERAGE.expand(shape).clone()
    content = {wrapper: state} if wrapper else dict(state)
    content |= {name: average.numpy() if array else average, "opts": {"encoder_type": "Encoder4Editing"}}
    with tempfile.TemporaryDirectory() as folder:
        pack = imported(content, Path(folder))
        assert_same(generator_of(pack), ROSINALITY)
        assert pack is not None and pack.description["encoder"] == "e4e" and "note" not in pack.description
        encoder = load_file(pack.files["encoder.safetensors"])
        assert torch.equal(encoder.pop("latent_avg"), AVERAGE.expand(LAYERS, 512))
        assert_same(encoder, ENCODER)


OPTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": dict,
    "Namespace": lambda words: argparse.Namespace(**words),
    "Namespace with paths": lambda words: argparse.Namespace(exp_dir=pathlib.Path("/x"), **words),
    "SimpleNamespace": lambda words: types.SimpleNamespace(**words),
    "OrderedDict": OrderedDict,
    "defaultdict": lambda words: defaultdict(list, words),
    "JSON": json.dumps,
    "nested": lambda words: {"args": {"train": words}},
    "odd values": lambda words: {
        "rate": np.float64(0.1), "size": np.int64(256), "when": datetime.datetime(2021, 1, 1),
        "root": pathlib.PureWindowsPath("C:/x"), "device": torch.device("cuda:0"), "dtype": torch.float32,
        "betas": (0.9, 0.99), "names": frozenset({"a"}), "complex": 1j, "range": range(3), "none": None,
        "kind": int, "table": np.arange(6.0).reshape(2, 3), "dtype of NumPy": np.dtype("f4"), **words,
    },
    "texts": lambda words: {k: str(v) for k, v in words.items()},
}  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("write", [as_torch, as_legacy])
def test_options_are_read_however_they_were_kept(options: str, write: Callable, tmp_path: Path) -> None:
    for kind, encoder in (("Encoder4Editing", "e4e"), ("GradualStyleEncoder", "psp")):
        for starts in (True, False):
            opts = OPTIONS[options]({"encoder_type": kind, "start_from_latent_avg": starts})
            folder = tmp_path / f"{encoder}{starts}"
            folder.mkdir()
            write(e4e(opts=opts), folder / "file.pt")
            made = import_e4e(folder / "file.pt", folder / "pack", "pack")
            assert made is not None
            pack = open_pack(made)
            assert pack.description["encoder"] == encoder
            assert pack.settings.get("start_from_latent_avg", True) is starts
            assert ("latent_avg" in load_file(pack.files["encoder.safetensors"])) is starts


def test_a_switch_that_is_a_number_of_numpys(tmp_path: Path) -> None:
    for starts in (True, False):
        opts = {"encoder_type": "Encoder4Editing", "start_from_latent_avg": np.bool_(starts)}
        pack = imported(e4e(opts=opts, best_val_loss=np.float64(0.1)), tmp_path / str(starts))
        assert pack is not None and pack.settings.get("start_from_latent_avg", True) is starts


def test_codes_that_start_from_nothing_need_no_average(tmp_path: Path) -> None:
    opts = {"encoder_type": "Encoder4Editing", "start_from_latent_avg": False}
    without = imported(e4e(opts=opts, latent_avg=None), tmp_path / "without")
    assert_same(generator_of(without), ROSINALITY)
    beside = imported(e4e(opts=opts), tmp_path / "beside")  # the generator's own, then
    assert torch.equal(generator_of(beside)["latent_avg"], AVERAGE)


@pytest.mark.parametrize(
    "kind",
    [
        "BackboneEncoderUsingLastLayerIntoW",
        "BackboneEncoderUsingLastLayerIntoWPlus",
        "ProgressiveBackboneEncoder",
        "ResNetProgressiveBackboneEncoder",
        "BackboneEncoder",
        "SingleStyleCodeEncoder",
        "HybridEncoder",
        "Mine",
    ],
)
def test_an_encoder_that_nobody_runs_is_refused_by_name_and_by_every_importer(kind: str, tmp_path: Path) -> None:
    torch.save(e4e(opts={"encoder_type": kind}), tmp_path / "file.pt")
    with pytest.raises(
        CheckpointError, match=rf"file\.pt has an encoder of the type '{kind}', which kinblend does not"
    ):
        import_pack(tmp_path / "file.pt", tmp_path / "packs", "mine")
    assert list((tmp_path / "packs").iterdir()) == []


def test_an_encoder_that_does_not_say_what_it_is_is_no_secret(tmp_path: Path) -> None:
    for opts in (None, {"device": "cuda:0"}, argparse.Namespace(size=256)):
        pack = imported(e4e(opts=opts), tmp_path / type(opts).__name__)
        assert pack is not None and "name no encoder_type" in pack.description["note"]


@pytest.mark.parametrize("notes", [{"encoder_type": "GradualStyleEncoder"}, {"opts": '{"encoder_type": "psp"}'}])
def test_a_safetensors_file_says_in_its_notes_what_it_is(notes: dict[str, str], tmp_path: Path) -> None:
    state = with_prefix(ENCODER, "encoder.") | with_prefix(ROSINALITY, "decoder.") | {"latent_avg": AVERAGE}
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "f.safetensors", notes)
    made = import_e4e(tmp_path / "f.safetensors", tmp_path / "pack", "pack")
    assert made is not None and open_pack(made).description["encoder"] == "psp"


@torch.inference_mode()
def test_psp_gives_whole_codes_where_e4e_gives_offsets(e4e_pack: Path) -> None:
    backbone = load_backbone(e4e_pack)
    encoder = make_plugin("encoder", "psp", backbone.context, {})
    codes = encoder.encode(cases("e4e_256")["input"])  # type: ignore[attr-defined]
    expected = cases("e4e_256")["encoder_codes"].clone()
    expected[:, 1:] -= expected[:, :1].clone()
    torch.testing.assert_close(codes - cases("e4e_256")["latent_avg"], expected, atol=1e-3, rtol=0)


MISSING: dict[str, tuple[Callable[[], Any], str]] = {
    "an encoder alone": (
        lambda: {"state_dict": with_prefix(ENCODER, "encoder.")},
        r"holds an encoder \(state_dict\.encoder\.input_layer.*and no generator: decoder\.input\.input",
    ),
    "a bare encoder": (lambda: ENCODER, "holds an encoder .* and no generator"),
    "no average": (lambda: e4e(latent_avg=None), "lacks latent_avg, the mean code that its encoder starts from"),
    "an average of another size": (
        lambda: e4e(latent_avg=torch.zeros(3, 256)), rf"latent_avg of shape \[3, 256\]; \[512\] or \[{LAYERS}, 512\]",
    ),
    "a layer": (
        lambda: {k: v for k, v in ROSINALITY.items() if not k.startswith("convs.1.")},
        r"lacks tensors of its generator: convs\.1\.activate\.bias, convs\.1\.conv\.modulation\.bias, .* and 1 more",
    ),
    "the mapping network": (
        lambda: {k: v for k, v in ROSINALITY.items() if not k.startswith("style.")},
        r"lacks tensors of its generator: style\.1\.bias, style\.1\.weight",
    ),
    "the mapping network of NVIDIA's": (
        lambda: {k.removeprefix("synthesis."): v for k, v in NVIDIA.items() if k.startswith("synthesis.")},
        r"lacks tensors of its generator: mapping\.fc0\.bias, mapping\.fc0\.weight",
    ),
    "the synthesis network": (
        lambda: {"G_ema": {k: v for k, v in NVIDIA.items() if k.startswith("mapping.")}},
        "holds a mapping network without the synthesis network",
    ),
    "a discriminator": (
        lambda: {"d": {"convs.0.0.weight": torch.zeros(1), "final_linear.1.weight": torch.zeros(1)}},
        "holds a discriminator and no generator",
    ),
    "StyleGAN3": (
        lambda: {"G_ema": {"synthesis.L0_36_512.weight": torch.zeros(1), "mapping.fc0.weight": torch.zeros(1)}},
        "lacks synthesis.input.freqs, which every StyleGAN3 has",
    ),
    "a condition": (
        lambda: {"G_ema": NVIDIA | {"mapping.embed.weight": torch.zeros(512, 3)}}, "conditional generator",
    ),
    "something more": (
        lambda: {"g_ema": ROSINALITY | {"style.1.momentum": torch.zeros(3)}},
        r"no such generator has style\.1\.momentum",
    ),
    "two generators": (
        lambda: {"net_a": ROSINALITY, "net_b": ROSINALITY}, r"several generators \(net_a, net_b\)",
    ),
    "whole numbers": (
        lambda: ROSINALITY | {"to_rgb1.bias": torch.zeros(1, 3, 1, 1, dtype=torch.int8)},
        r"its tensor to_rgb1\.bias is int8",
    ),
    "another network": (
        lambda: {"conv1.weight": torch.zeros(1), "fc.bias": torch.zeros(1)},
        r"no importer knows .*which holds 2 entries: conv1\.weight, fc\.bias; there are: e4e",
    ),
    "unequal z and w": (
        lambda: ROSINALITY | {"style.1.weight": torch.zeros(512, 128)}, r"first layer of shape \[512, 128\]",
    ),
    "an encoder for another dimension": (
        lambda: e4e(state_dict=with_prefix(ENCODER, "encoder.") | with_prefix(narrow(), "decoder."), latent_avg=None),
        "its generator has codes of 64 dimensions; e4e encodes into 512",
    ),
}  # fmt: skip


def narrow() -> dict[str, Tensor]:
    """A generator whose w has 64 dimensions."""
    return {
        name: tensor[..., :64, :64] if name.startswith("style") and tensor.ndim == 2
        else tensor[:64] if name.startswith("style")
        else tensor[:, :64] if name.endswith("modulation.weight") else tensor
        for name, tensor in ROSINALITY.items()
    }  # fmt: skip


@pytest.mark.parametrize("kind", MISSING)
def test_what_is_missing_is_said_in_one_sentence(kind: str, tmp_path: Path) -> None:
    make, expected = MISSING[kind]
    torch.save(make(), tmp_path / "file.pt")
    with pytest.raises(CheckpointError, match=expected) as caught:
        import_pack(tmp_path / "file.pt", tmp_path / "packs", "mine")
    assert "\n" not in str(caught.value) and "file.pt" in str(caught.value)
    assert list((tmp_path / "packs").iterdir()) == []


def test_the_average_over_the_training_is_taken_of_several(tmp_path: Path) -> None:
    other = {name: tensor + 1 for name, tensor in ROSINALITY.items()}
    for number, content in enumerate(
        (
            {"g": other, "d": {"convs.0.0.weight": torch.zeros(1)}, "g_ema": ROSINALITY},
            {"params": other, "params_ema": ROSINALITY},
            {"state_dict": with_prefix(other, "generator.") | with_prefix(ROSINALITY, "generator_ema.")},
            {"student": other, "g": ROSINALITY},
            {"semantic": other, "Gs": ROSINALITY},
            {"g": other, "g_running": ROSINALITY},
            {"model": {"netG": other, "netG_ema": ROSINALITY}},
            {"G": other, "ema_model": {"module": ROSINALITY}},
        )
    ):
        assert_same(generator_of(imported(content, tmp_path / str(number), import_rosinality)), ROSINALITY)


@torch.inference_mode()
def test_a_w_of_another_dimension_makes_pictures(tmp_path: Path) -> None:
    torch.save({"g_ema": narrow(), "latent_avg": torch.zeros(1, 64)}, tmp_path / "narrow.pt")
    backbone = load_backbone(import_pack(tmp_path / "narrow.pt", tmp_path / "packs", "narrow").folder)
    assert backbone.space.dim == 64
    z = torch.randn(1, 64)
    assert backbone.projector.synthesize(backbone.projector.map(z)).shape == (1, 3, 16, 16)  # type: ignore[attr-defined]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@torch.inference_mode()
def test_weights_of_another_precision_are_read_as_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    for kind, state in (("r", ROSINALITY), ("n", NVIDIA)):
        torch.save({"g_ema": {name: tensor.to(dtype) for name, tensor in state.items()}}, tmp_path / f"{kind}.pt")
        pack = import_pack(tmp_path / f"{kind}.pt", tmp_path / "packs", f"pack-{kind}")
        tensors = load_file(pack.files["generator.safetensors"])
        assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
        picture = load_backbone(pack.folder).projector.synthesize(torch.zeros(1, LAYERS, 512))
        assert bool(torch.isfinite(picture).all())


def test_noise_maps_that_a_state_dict_of_nvidias_lacks_are_drawn(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in NVIDIA.items() if not name.endswith("noise_const")}
    found = generator_of(imported({"G_ema": state}, tmp_path, import_nvidia))
    assert {name: tensor.shape for name, tensor in found.items()} == {n: t.shape for n, t in NVIDIA.items()}


def test_a_pickle_of_nvidias_without_an_average_of_its_weights(tmp_path: Path) -> None:
    write_nvidia(tmp_path / "a.pkl", NVIDIA)
    made = import_nvidia(tmp_path / "a.pkl", tmp_path / "pack", "a")
    assert made is not None
    assert_same(load_file(made / "generator.safetensors"), NVIDIA)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("write", [as_torch, as_legacy, as_pickle, as_safetensors])
def test_a_file_that_ends_early_is_refused(share: float, write: Callable, tmp_path: Path) -> None:
    write({"g_ema": ROSINALITY}, tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError) as caught:
        import_pack(tmp_path / "cut.pt", tmp_path / "packs", "cut")
    assert "\n" not in str(caught.value)


def test_shared_dicts_do_not_multiply(tmp_path: Path) -> None:
    """Sixty dicts, each of which holds the one before twice, would have 2^60 tensors."""
    content: Any = {"w": torch.zeros(1)}
    for _ in range(60):
        content = {"a": content, "b": content}
    file = io.BytesIO()
    torch.save(content, file)
    (tmp_path / "file.pt").write_bytes(file.getvalue())
    with pytest.raises(CheckpointError, match="more than any network's file"):
        import_pack(tmp_path / "file.pt", tmp_path / "packs", "mine")
