"""The learned blender: its bridge has true gradients, it learns what can be learned, and can be taken up again."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from recipes import cases
from torch.nn import functional as F

from kinblend import Context, LatentSpace, load_backbone
from kinblend.backbone import make_plugin
from kinblend.blend import weighted_sum
from kinblend.datasets import Trios, load_trios
from kinblend.errors import CorruptFileError, InputError, LatentSpaceError, UnsupportedError, UsageError
from kinblend.evaluation.blender import BlenderEvaluator
from kinblend.families.trio_list import read_trio_list
from kinblend.families.trios import save_trios
from kinblend.plugins import load_plugins
from kinblend.training.checkpoint import Checkpoints
from kinblend_plugins.blenders.bridge import Projection, Render
from kinblend_plugins.blenders.int8_state import pack, unpack
from kinblend_plugins.blenders.network import AdaptiveDimensionWeightModel
from kinblend_plugins.blenders.training import benchmark
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.session import Session

FORTY = [f"F{i}" for i in range(40)]


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


@pytest.mark.parametrize("seed", [0, 1])
def test_it_learns_whom_children_take_after(seed: int) -> None:
    """From the same start, by what it was shown: the mean share is larger where fathers were taken after."""
    small = LatentSpace("test", 2, 64, "ab" * 32)
    assert learned_share("father", small, seed) > learned_share("mother", small, seed) + 0.05


def learned_share(parent: str, space: LatentSpace, seed: int) -> float:
    """The father's mean share, after a short training on children who are the image of one parent."""
    generator = torch.Generator().manual_seed(seed)
    people = dict(zip(("father", "mother"), torch.randn(2, 40, 2, 64, generator=generator), strict=True))
    made = Trios(**people, child=people[parent], embedding=torch.ones(40, 128), families=FORTY, space=space)
    options = TrainOptions(
        trios=Path("made.safetensors"), bridge="projection", batch=8, rate=1e-3, noise=0, swap=False
    )
    session = Session(options, made, Projection(2 * 64))
    for _ in range(8):
        session.run_epoch()
    with torch.inference_mode():
        return float(session.average.weights(made.father, made.mother).mean())


@pytest.mark.parametrize(
    ("bridge", "precision", "mixed"),
    [
        ("projection", "auto", False),
        ("projection", "bf16", True),
        ("render", "auto", True),
        ("render", "fp32", False),
    ],
)
def test_a_step_is_in_bfloat16_where_it_may_be(bridge: str, precision: str, mixed: bool) -> None:
    assert TrainOptions(trios=Path("none"), bridge=bridge, precision=precision).mixed == mixed


def test_a_step_in_bfloat16_goes_where_one_in_float32_goes() -> None:
    space = LatentSpace("test", 2, 64, "ab" * 32)
    plain, half = (first_step(trios(space), precision) for precision in ("fp32", "bf16"))
    assert all(tensor.dtype == torch.float32 for tensor in half.values() if tensor.is_floating_point())
    assert plain["encoder.0.weight"].ne(half["encoder.0.weight"]).any()
    name = "weight_decoder.6.bias"
    assert F.cosine_similarity(plain[name], half[name], dim=0) > 0.9


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine without CUDA refuses it")
def test_a_device_that_is_not_there_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    save_trios(tmp_path / "trios.safetensors", trios(load_backbone("morphable").space))
    with pytest.raises(UsageError, match="there is no CUDA device here"):
        train(tmp_path, "w.safetensors", device="cuda")
    with pytest.raises(UsageError, match="use auto, cpu, cuda or cuda:N"):
        train(tmp_path, "w.safetensors", device="gpu")
    assert [file.name for file in tmp_path.iterdir()] == ["trios.safetensors"]


def checkpoints(folder: Path, options: TrainOptions) -> Checkpoints:
    return Checkpoints(folder, options.model_dump(mode="json"))


def first_step(made: Trios, precision: str) -> dict[str, torch.Tensor]:
    """The network's gradients after one batch without chance."""
    options = TrainOptions(
        trios=Path("none"), bridge="projection", batch=16, precision=precision, swap=False, noise=0, dropout=(0, 0)
    )
    session = Session(options, made, Projection(made.father[0].numel()))
    session._drop(0.0)
    session.step(session.families.batches("train")[0])
    return {name: value.grad.clone() for name, value in session.network.weights.named_parameters()}


def test_a_training_from_files_leaves_weights_a_log_and_no_checkpoint(tmp_path: Path) -> None:
    space = load_backbone("morphable").space
    save_trios(tmp_path / "trios.safetensors", trios(space))
    log = train(tmp_path, "whole.safetensors", epochs=1, swap=False)
    assert set(log[0]["baselines"]) == {"father", "mother", "average", "untrained"}
    assert log[0]["baselines"]["father"]["loss"] < log[0]["baselines"]["average"]["loss"]
    assert [record["epoch"] for record in log[1:]] == [1]
    assert not (tmp_path / "whole.checkpoints").exists()
    blender = make_plugin("blender", "learned", Context(space), {"weights": str(tmp_path / "whole.safetensors")})
    assert tuple(blender.weights(trios(space).father[0], trios(space).mother[0], 0).shape) == (4, 512)


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    space = load_backbone("morphable").space
    save_trios(tmp_path / "trios.safetensors", trios(space))
    spec = load_plugins()["trainer"].get("learned")
    options = spec.parse_options(
        {
            "trios": str(tmp_path / "trios.safetensors"),
            "bridge": "projection",
            "batch": 8,
            "epochs": 3,
            "head": "low-rank",  # of few weights
        }
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


def test_taken_up_again_it_ends_as_if_it_had_not_been_left(tmp_path: Path) -> None:
    space = LatentSpace("test", 2, 32, "ab" * 32)
    options = TrainOptions(trios=Path("-"), bridge="projection", batch=8, head="low-rank", epochs=3)
    whole, first, second = (Session(options, trios(space), Projection(64)) for _ in range(3))
    for _ in range(3):
        whole.run_epoch()
    first.run_epoch()
    first.save(checkpoints(tmp_path, options))
    assert second.load(checkpoints(tmp_path, options))
    for _ in range(2):
        second.run_epoch()
    for name, tensor in whole.network.state_dict().items():
        torch.testing.assert_close(second.network.state_dict()[name], tensor, atol=1e-6, rtol=0)


def test_the_auc_of_a_training_is_the_one_that_evaluation_computes() -> None:
    """Of the same codes, on validation families of one to three trios, with sexes that are no candidates."""
    backbone = load_backbone("morphable")
    made = trios(backbone.space, 24)
    names = [f"F{row // 3 if row < 12 else row}" for row in range(24)]
    parts = ["train"] * 6 + ["val"] * 18
    made = replace(made, families=names, splits=parts, groups={"sex": ["m", "f"] * 12})
    judge = BlenderEvaluator(backbone, made.select(range(24)))
    noise = 0.2 * torch.randn(24, 128, generator=torch.Generator().manual_seed(4))
    made = replace(made, embedding=judge.predict(made.child).clone() + noise)
    options = TrainOptions(trios=Path("-"), bridge="render", precision="fp32", batch=5)
    session = Session(options, made, Render(backbone, made.identity, "fp32", False, None))
    told = session.evaluate("val", lambda father, mother: (father + mother) / 2)["auc"]
    held = made.split_rows(options.seed)["val"]
    judge = BlenderEvaluator(backbone, made.select(held))
    found = judge.predict((judge.trios.father + judge.trios.mother) / 2)
    assert 0.3 < told < 1
    assert told == pytest.approx(judge.line(found, None).figures["auc"].mean, abs=1e-6)


def test_other_options_do_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    usual = {"bridge": "projection", "epochs": 1, "head": "low-rank"}  # of few weights
    save_trios(tmp_path / "trios.safetensors", trios(load_backbone("morphable").space))

    def interrupted(text: str) -> None:
        if text.startswith("epoch"):
            raise KeyboardInterrupt

    def run(progress: Callable[[str], None], **changes: object) -> None:
        spec = load_plugins()["trainer"].get("learned")
        options = spec.parse_options({"trios": str(tmp_path / "trios.safetensors"), **usual, **changes})
        spec.load()(options, tmp_path / "w.safetensors", progress)

    with pytest.raises(KeyboardInterrupt):
        run(interrupted)
    with pytest.raises(UsageError, match=r"other options: rate=5e-05, not 0\.1"):
        run(interrupted, rate=0.1)
    run(lambda _: None, epochs=2, patience=9)


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
    torch.testing.assert_close(projection.matrix.norm(dim=1), torch.ones(512))
    found = projection(torch.randn(3, 6, 512))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert bool((found >= 0).all())


def test_the_projection_is_the_student_reports() -> None:
    case = cases("original_blends")
    found = Projection(18 * 512)(case["father"][None])
    torch.testing.assert_close(found, case["mock_embedding"], atol=1e-5, rtol=0)


def test_families_are_on_one_side_only() -> None:
    families = [f"F{i % 30}" for i in range(100)]
    parts = replace(trios(LatentSpace("test", 4, 8, "0" * 64), 100), families=families).split_rows(3)
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


def test_the_step_that_bench_times_is_one_of_the_training() -> None:
    work = benchmark.step(load_backbone("morphable"), 4, "fp32")
    losses = [work() for _ in range(3)]
    assert len(set(losses)) == 3  # the weights move
    assert all(0 < loss < 3 for loss in losses)  # 1 − cos, and 0.05 of a squared distance of at most 4
    for batch, precision, says in ((4, "fp16", "not in fp16"), (1, "fp32", "batch of 2")):
        with pytest.raises(UnsupportedError, match=says):
            benchmark.step(load_backbone("morphable"), batch, precision)
