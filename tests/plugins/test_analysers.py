"""Analysers that give further attributes: by landmarks and pixels, by face-api's files, by the package pyfacer."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinblend import Latent, load_backbone
from kinblend.datasets import load_analyser
from kinblend.errors import CheckpointError, ModelError, UsageError
from kinblend.plugins import load_plugins
from kinblend_plugins.analysers import face_api, face_measurements, facer
from kinblend_plugins.analysers.face_api_networks import AgeGender, Expression


@pytest.fixture(scope="module")
def face() -> Image.Image:
    backbone = load_backbone("morphable")
    code = torch.zeros(backbone.space.layers, backbone.space.dim)
    return backbone.render([Latent(code, backbone.space)], size=256)[0].resize((256, 256))


@pytest.fixture(autouse=True)
def _made_anew() -> Iterator[None]:
    yield
    face_api._networks.cache_clear()
    facer._network.cache_clear()


def tfjs(folder: Path, model: str, network: torch.nn.Module, quantised: bool = False) -> None:
    """A network's weights in the layout of face-api's files."""
    folder.mkdir(parents=True, exist_ok=True)
    entries, data = [], b""
    for name, tensor in network.state_dict().items():
        values = tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 and "depthwise" not in name else tensor
        values = values.permute(2, 3, 0, 1) if "depthwise" in name else values
        entry = {"name": name.replace(".", "/"), "shape": list(values.shape), "dtype": "float32"}
        array = values.contiguous().numpy()
        if quantised and array.ndim > 1:
            low, scale = float(array.min()), float(np.ptp(array) / 255) or 1.0
            array = np.round((array - low) / scale).astype(np.uint8)
            entry["quantization"] = {"dtype": "uint8", "scale": scale, "min": low}
        entries.append(entry)
        data += array.tobytes()
    (folder / f"{model}.bin").write_bytes(data)
    (folder / f"{model}-weights_manifest.json").write_text(json.dumps([{"weights": entries, "paths": []}]))


def drawn(network: torch.nn.Module) -> torch.nn.Module:
    numbers = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=numbers) * 0.1
    return network


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    folder = tmp_path / "analysers" / "face-api"
    tfjs(folder, face_api.AGES, drawn(AgeGender()))
    tfjs(folder, face_api.EMOTIONS, drawn(Expression()))
    return folder


def test_face_api_reads_what_it_is_given(files: Path, face: Image.Image) -> None:
    [found] = load_analyser("face-api")([face])
    seen = (face_api._face(face) - torch.tensor(face_api.MEAN)[:, None, None]) / 255
    with torch.inference_mode():
        years, male = drawn(AgeGender())(seen)
        chances = drawn(Expression())(seen)[0]
    assert found["age"] == pytest.approx(float(years))
    assert (found["gender"], found["gender_confidence"]) == ("m" if male > 0.5 else "f", max(male, 1 - male))
    assert found["attributes"]["happy"] == pytest.approx(float(chances[1]))
    assert found["emotion"] == face_api.EXPRESSIONS[int(chances.argmax())]
    assert sum(found["attributes"].values()) == pytest.approx(1, abs=1e-5)


def test_eight_bits_are_a_scale_and_a_smallest_value(files: Path, face: Image.Image) -> None:
    [exact] = load_analyser("face-api")([face])
    tfjs(files, face_api.EMOTIONS, drawn(Expression()), quantised=True)
    assert (files / f"{face_api.EMOTIONS}.bin").stat().st_size < 340_000  # the published one has 329,468
    face_api._networks.cache_clear()
    [rounded] = load_analyser("face-api")([face])
    assert rounded["attributes"] != exact["attributes"]
    assert rounded["attributes"] == pytest.approx(exact["attributes"], abs=0.02)


def test_files_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, face: Image.Image) -> None:
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"age_gender_model-weights_manifest\.json of the npm .*put it there"):
        load_analyser("face-api")([face])


@pytest.mark.parametrize("damage", ["cut", "longer", "no json", "a number", "shape", "kind", "names", "nan", "list"])
def test_damaged_files_are_refused(damage: str, files: Path, face: Image.Image) -> None:
    manifest, data = (files / f"{face_api.AGES}{end}" for end in ("-weights_manifest.json", ".bin"))
    content = json.loads(manifest.read_text())
    first = content[0]["weights"][0]
    if damage in ("cut", "longer"):
        data.write_bytes(data.read_bytes()[:-4] if damage == "cut" else data.read_bytes() + b"1234")
    elif damage == "nan":
        data.write_bytes(np.full(len(data.read_bytes()) // 4, np.nan, np.float32).tobytes())
    else:
        first |= {"shape": {"shape": [10**12, 10**12]}, "kind": {"dtype": "object"}, "names": {"name": "no"}}.get(
            damage, {}
        )
        broken = {"no json": "<html>", "a number": "7", "list": "[" * 100_000}.get(damage, json.dumps(content))
        manifest.write_text(broken)
    with pytest.raises(
        CheckpointError,
        match="use the npm package @vladmandic/face-api" if damage != "nan" else "age_gender_model.bin",
    ):
        load_analyser("face-api")([face])


def test_measurements_follow_the_face() -> None:
    points = np.zeros((68, 2))
    points[36:42] = [[40, 50], [44, 47], [48, 47], [52, 50], [48, 53], [44, 53]]
    points[42:48] = points[36:42] + np.array([40, 0])
    points[48:60] = [[50, 100], [55, 97], [58, 96], [66, 97], [74, 96], [77, 97], [82, 100]] + [[66, 104]] * 5
    points[60:68] = [66, 100]
    calm = face_measurements.expression(points)
    smiling = points.copy()
    smiling[[48, 54], 1] -= 5
    assert face_measurements.expression(smiling)["smile"] > calm["smile"] + 0.1
    opened = points.copy()
    opened[65:68, 1] += 10
    assert face_measurements.expression(opened)["mouth open"] == pytest.approx(0.25)
    assert (calm["mouth open"], calm["eyes open"]) == (0, pytest.approx(0.5))


def test_measurements_of_a_picture_are_numbers_by_name(face: Image.Image) -> None:
    [found] = load_analyser("face-measurements")([face])
    assert {"skin L*", "face width", "smile"} <= set(found["attributes"])
    assert 30 < found["attributes"]["skin L*"] < 90


def test_facer_needs_its_package_and_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, face: Image.Image
) -> None:
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "facer", None)  # as if it were not installed
    with pytest.raises(UsageError, match="pip install pyfacer"):
        load_analyser("facer")([face])
    assert load_plugins()["analyser"].get("facer").load()([]) == []


def test_what_facer_answers_becomes_attributes_and_classes() -> None:
    found = facer.answer({"Male": 0.2, "Wearing_Hat": 0.9, "5_o_Clock_Shadow": 0.1})
    assert (found["gender"], found["gender_confidence"]) == ("f", 0.8)
    assert found["attributes"] == {"wearing hat": 0.9, "5 o clock shadow": 0.1}
    assert found["classes"] == {"wearing hat": "yes", "5 o clock shadow": "no"}
