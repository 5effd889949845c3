"""Files that options name come from strangers too: nothing in them is executed, and the refusal is one line."""

from pathlib import Path

import pytest
import torch
from hostile.checkpoints import hostile

from kinblend import Context, LatentSpace
from kinblend.backbone import make_plugin
from kinblend.errors import KinblendError

SPACE = Context(LatentSpace("test", 4, 512, "0" * 64))
USES = {
    "direction": lambda path: make_plugin("editor", "interfacegan", SPACE, {"directions": {"age": path}}),
    "shares": lambda path: _blend("dimension", {"shares": path}),
    "mask": lambda path: _blend("mask", {"file": path}),
    "weights": lambda path: make_plugin("blender", "learned", SPACE, {"weights": path}),
}
ODD = {
    "sparse": torch.zeros(512).to_sparse(),
    "expanded": torch.zeros(1).expand(10**13),
    "complex": torch.zeros(512, dtype=torch.complex64),
    "nan": torch.full((512,), float("nan")),
    "list": [0.5] * 512,
}


def _blend(name: str, options: dict) -> object:
    return make_plugin("blender", name, SPACE, options).blend(torch.zeros(4, 512), torch.ones(4, 512), 0)


def refused(use: str, path: Path) -> str:
    with pytest.raises(KinblendError) as caught:
        USES[use](str(path))
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    assert "weights_only" not in text
    return text


@pytest.mark.parametrize("use", USES)
def test_hostile_files(use: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for name, content in hostile(trace).items():
        path = tmp_path / f"{name}.pt"
        path.write_bytes(content)
        refused(use, path)
        assert not trace.exists()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", ODD)
def test_tensors_that_are_none(use: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.pt"
    torch.save({"w": ODD[name]} if use == "weights" else ODD[name], path)
    refused(use, path)


def test_the_ending_may_be_upper_case(tmp_path: Path) -> None:
    torch.save(torch.full((512,), 0.25), tmp_path / "S.PT")
    assert _blend("dimension", {"shares": str(tmp_path / "S.PT")}).weights.values.unique().tolist() == [0.25]


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    assert "is a folder" in refused("shares", tmp_path)
