"""The learned blender: its bridge has true gradients, it learns what can be learned, and can be taken up again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from kinblend import Context, LatentSpace, Trios, load_backbone, load_trios, weighted_sum
from kinblend.backbone import make_plugin
from kinblend.errors import CorruptFileError, InputError, LatentSpaceError
from kinblend.families.manifest import read_trio_list
from kinblend.families.trios import save_trios
from kinblend.plugins import load_plugins
from kinblend_plugins.blenders.bridge import Projection, Render
from kinblend_plugins.blenders.network import AdaptiveDimensionWeightModel
from kinblend_plugins.blenders.packed import pack, unpack


def trios(space: LatentSpace, count: int = 40) -> Trios:
    """Children that have everything from their fathers, but for noise."""
    generator = torch.Generator().manual_seed(2)
    father, mother = torch.randn(2, count, space.layers, space.dim, generator=generator) * 0.5
    child = father + 0.01 * torch.randn(father.shape, generator=generator)
    families = [f"F{i // 2}" for i in range(count)]
    return Trios(father, mother, child, torch.randn(count, 128, generator=generator), families, space)


def train(folder: Path, out: str, **options: object) -> list[dict]:
    spec = load_plugins()["trainer"].get("learned")
    values = {
        "trios": str(folder / "trios.safetensors"),
        "bridge": "projection",
        "batch": 8,
        "rate": 1e-3,
        "noise": 0,
    }
    spec.load()(spec.parse_options(values | options), folder / out)
    return [json.loads(line) for line in (folder / out).with_suffix(".jsonl").read_text().splitlines()]


def test_the_networks_weights_pack_into_a_quarter_and_give_nearly_the_same_map() -> None:
    torch.manual_seed(0)
    network = AdaptiveDimensionWeightModel(4, 512).eval()
    state = network.state_dict()
    packed = pack(state)
    size = sum(t.numel() * t.element_size() for t in packed.values())
    assert size < 0.27 * sum(t.numel() * t.element_size() for t in state.values())
    other = AdaptiveDimensionWeightModel(4, 512).eval()
    other.load_state_dict(unpack(packed))
    father, mother = torch.randn(2, 3, 4, 512)
    with torch.inference_mode():
        torch.testing.assert_close(network(father, mother), other(father, mother), atol=0.01, rtol=0)


def test_it_learns_that_children_take_after_their_fathers(tmp_path: Path) -> None:
    space = load_backbone("morphable").space
    save_trios(tmp_path / "trios.safetensors", trios(space))
    whole = train(tmp_path, "whole.safetensors", epochs=15, patience=15, swap=False)
    assert whole[-1]["val_loss"] < whole[0]["baselines"]["untrained"]["loss"]
    assert not (tmp_path / "whole.checkpoint.safetensors").exists()
    blender = make_plugin("blender", "learned", Context(space), {"weights": str(tmp_path / "whole.safetensors")})
    example = trios(space)
    assert float(blender.weights(example.father[0], example.mother[0], 0).mean()) > 0.55


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    space = load_backbone("morphable").space
    save_trios(tmp_path / "trios.safetensors", trios(space))
    spec = load_plugins()["trainer"].get("learned")
    options = spec.parse_options(
        {"trios": str(tmp_path / "trios.safetensors"), "bridge": "projection", "batch": 8, "epochs": 3}
    )
    out = tmp_path / "w.safetensors"

    def interrupt(text: str) -> None:
        if text.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spec.load()(options, out, interrupt)
    said: list[str] = []
    spec.load()(options, out, said.append)
    assert said[0] == "going on after epoch 2"
    epochs = [json.loads(line)["epoch"] for line in out.with_suffix(".jsonl").read_text().splitlines()[1:]]
    assert epochs == [1, 2, 3]


def test_gradients_through_the_picture_agree_with_finite_differences() -> None:
    backbone = load_backbone("morphable")
    render = Render(backbone)
    codes = torch.randn(1, 4, 512, generator=torch.Generator().manual_seed(1)) * 0.3
    target = F.normalize(torch.randn(1, 128, generator=torch.Generator().manual_seed(2)), dim=1)
    leaf = codes.clone().requires_grad_()
    [gradient] = torch.autograd.grad((render(leaf) * target).sum(), leaf)
    direction = gradient / gradient.norm()
    with torch.no_grad():
        up, down = ((render(codes + step * direction) * target).sum() for step in (0.02, -0.02))
    assert float((up - down) / 0.04) == pytest.approx(float(gradient.norm()), rel=0.05)


def test_the_projection_is_a_normalized_matrix_and_a_relu() -> None:
    projection = Projection(6 * 512)
    torch.testing.assert_close(projection.matrix.norm(dim=1), torch.ones(128))
    found = projection(torch.randn(3, 6, 512))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert bool((found >= 0).all())


def test_families_are_on_one_side_only() -> None:
    families = [f"F{i % 30}" for i in range(100)]
    parts = replace(trios(LatentSpace("test", 4, 8, "0" * 64), 100), families=families).parts(3)
    sides = {name: {families[i] for i in rows} for name, rows in parts.items()}
    assert sorted(i for rows in parts.values() for i in rows) == list(range(100))
    assert not sides["train"] & sides["val"]
    assert not sides["train"] & sides["test"]
    assert not sides["val"] & sides["test"]


def test_files_of_trios(tmp_path: Path, space: LatentSpace) -> None:
    made = trios(space, 4)
    save_trios(tmp_path / "t.safetensors", made)
    read = load_trios(tmp_path / "t.safetensors", space)
    assert torch.equal(read.father, made.father)
    assert read.families == made.families
    with pytest.raises(LatentSpaceError):
        load_trios(tmp_path / "t.safetensors", LatentSpace("other", 6, 512, "0" * 64))
    with pytest.raises(CorruptFileError):
        load_trios(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("family,father,mother\na,b,c\n", "lacks the column child"),
        ("family,father,mother,child\na,b,,d\n", "line 2: mother is empty"),
        ("family,father,mother,child\n", "names no trio"),
    ],
)
def test_lists_that_will_not_do(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_trio_list(tmp_path / "list.csv")


def test_a_weighted_sum_has_gradients() -> None:
    weights = torch.full((2, 4, 512), 0.5, requires_grad=True)
    father, mother = torch.randn(2, 2, 4, 512)
    [gradient] = torch.autograd.grad(weighted_sum(father, mother, weights).sum(), weights)
    torch.testing.assert_close(gradient, father - mother)
