"""The heads of the weight network, the edit parameters, the proxy and synthetic families."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from kinblend import Context, LatentSpace, load_backbone
from kinblend.backbone import make_plugin
from kinblend.blend import weighted_sum
from kinblend.datasets import Trios
from kinblend.errors import InputError, OptionError, UnsupportedError
from kinblend_plugins.blenders.bridge import Projection, Render
from kinblend_plugins.blenders.displacement import DisplacementModel, predict
from kinblend_plugins.blenders.heredity import Heredity, save_heredity
from kinblend_plugins.blenders.int8_state import pack
from kinblend_plugins.blenders.network import HEADS, checkpoint_format, make_network
from kinblend_plugins.blenders.proxy import distill, fidelity, load_proxy, save_proxy
from kinblend_plugins.blenders.training import ablation
from kinblend_plugins.blenders.training.child import ChildModel
from kinblend_plugins.blenders.training.data import Families
from kinblend_plugins.blenders.training.drawn import draw_people
from kinblend_plugins.blenders.training.loss import contrast, distance
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.session import Session
from kinblend_plugins.blenders.training.synthetic import pretrain

SPACE = LatentSpace("test", 3, 16, "ab" * 32)
SIZE = 3 * 16


def options(**more: object) -> TrainOptions:
    return TrainOptions(trios=Path("-"), bridge="projection", batch=16, noise=0, **more)


def families(count: int = 60) -> Trios:
    father, mother, child = torch.randn(3, count, 3, 16, generator=torch.Generator().manual_seed(5))
    names = [f"F{row}" for row in range(count)]
    return Trios(father, mother, child, torch.randn(count, 128), names, SPACE)


def parents(count: int = 4) -> tuple[Tensor, Tensor]:
    father, mother = torch.randn(2, count, 3, 16, generator=torch.Generator().manual_seed(6))
    return father, mother


@pytest.mark.parametrize("head", sorted(set(HEADS) - {"full"}))
def test_small_heads_begin_as_the_average(head: str) -> None:
    weights = make_network(head, 3, 16).eval()(*parents())
    torch.testing.assert_close(weights, torch.full((4, 3, 16), 0.5))


@pytest.mark.parametrize("head", HEADS)
def test_a_symmetric_network_gives_both_orders_of_the_parents_one_child(head: str) -> None:
    torch.manual_seed(0)
    network, (father, mother) = make_network(head, 3, 16, symmetric=True).eval(), parents()
    for tensor in network.parameters():
        torch.nn.init.normal_(tensor, std=0.1)
    torch.testing.assert_close(network(father, mother) + network(mother, father), torch.ones(4, 3, 16))
    assert float((network(father, mother) - 0.5).abs().max().detach()) > 1e-5


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_the_blender_reads_every_head(head: str, symmetric: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network, (father, mother) = make_network(head, 3, 16, symmetric).eval(), parents()
    for tensor in network.parameters():
        torch.nn.init.normal_(tensor, std=0.1)
    assert checkpoint_format(network.state_dict())[:2] == (head, symmetric and head != "displacement")
    save_file(
        pack({name: tensor.clone() for name, tensor in network.state_dict().items()}), tmp_path / "w.safetensors"
    )
    blender = make_plugin("blender", "learned", Context(SPACE), {"weights": str(tmp_path / "w.safetensors")})
    found = blender.blend(father[0], mother[0], 0).code
    expected = predict(network, father, mother).child(father, mother)[0]
    torch.testing.assert_close(found, expected, atol=0.06, rtol=0)


def test_a_displacement_is_weights_where_it_can_be_and_an_offset_where_not() -> None:
    torch.manual_seed(2)
    network, (father, mother) = DisplacementModel(3, 16).eval(), parents(20)
    network.measure(torch.cat([father, mother]))
    torch.nn.init.normal_(network.writer.weight, std=2.0)
    torch.nn.init.normal_(network.heredity.weight)
    with torch.no_grad():
        found, mirrored = network.predict(father, mother), network.predict(mother, father)
        away = network.displacement(father, mother)
    child, coarse = found.child(father, mother), slice(0, 2)
    torch.testing.assert_close(child[:, coarse], ((father + mother) / 2 + away)[:, coarse], atol=1e-5, rtol=0)
    torch.testing.assert_close(mirrored.child(mother, father), child, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.weights + mirrored.weights, torch.ones(20, 3, 16), atol=1e-5, rtol=0)
    inside = (found.weights > 0) & (found.weights < 1)
    assert 0.1 < float(inside.float().mean()) < 1
    assert float(found.offset[inside].abs().max()) < 1e-5
    assert float(found.offset[:, coarse][~inside[:, coarse]].abs().mean()) > 1e-5
    # The finer layers hold the colours: there the child stays between the parents.
    assert torch.equal(found.offset[:, 2], torch.zeros(20, 16))
    assert bool(((child - father) * (child - mother) <= 1e-5)[:, 2].all())


def test_who_is_both_parents_is_the_child() -> None:
    torch.manual_seed(2)
    network, (father, _) = DisplacementModel(3, 16).eval(), parents()
    torch.nn.init.normal_(network.writer.weight, std=2.0)
    torch.nn.init.normal_(network.heredity.weight)
    with torch.no_grad():
        torch.testing.assert_close(network.predict(father, father).child(father, father), father)


def test_the_blender_says_what_it_adds(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network, (father, mother) = DisplacementModel(3, 16).eval(), parents()
    torch.nn.init.normal_(network.writer.weight, std=2.0)
    torch.nn.init.normal_(network.heredity.weight)
    save_file(dict(network.state_dict()), tmp_path / "w.safetensors")
    given = {"weights": str(tmp_path / "w.safetensors")}
    for share, expected in ((1.0, father[0]), (0.0, mother[0])):
        blender = make_plugin("blender", "learned", Context(SPACE), {**given, "share": share})
        assert torch.equal(blender.blend(father[0], mother[0], 0).code, expected)
    found = make_plugin("blender", "learned", Context(SPACE), given).blend(father[0], mother[0], 0)
    assert found.offset is not None and found.weights is not None
    between = weighted_sum(father[0], mother[0], found.weights.values)
    torch.testing.assert_close(between + found.offset, found.code)


def test_edit_parameters_move_the_child_along_their_directions(tmp_path: Path) -> None:
    steps = {"smile": torch.zeros(3, 16), "age": torch.zeros(3, 16)}
    steps["smile"][1, 2], steps["age"][0, 5] = 1.0, 1.0
    torch.manual_seed(0)
    model = ChildModel(options(head="low-rank"), 3, 16, steps).eval()
    father, mother = parents()
    torch.nn.init.normal_(model.edits.network.body[-1].weight, std=0.3)
    save_file(model.state(), tmp_path / "w.safetensors")
    given = {"weights": str(tmp_path / "w.safetensors")}
    plain, edited = (
        make_plugin("blender", "learned", Context(SPACE), {**given, "edits": wanted}).blend(father[0], mother[0], 0)
        for wanted in (False, True)
    )
    moved = edited.code - plain.code
    assert sorted(map(tuple, moved.nonzero().tolist())) == [(0, 5), (1, 2)]
    torch.testing.assert_close(edited.code, model(father, mother)[0])
    save_file(ChildModel(options(head="low-rank"), 3, 16, {}).state(), tmp_path / "w.safetensors")
    with pytest.raises(OptionError, match="no edit parameters"):
        make_plugin("blender", "learned", Context(SPACE), {**given, "edits": True})


def test_edit_parameters_are_learned() -> None:
    """Children who are their parents' average but for one direction: its strength is found."""
    made, step = families(), torch.zeros(3, 16)
    step[1] = 0.5
    child = (made.father + made.mother) / 2 + step
    made = Trios(made.father, made.mother, child, made.embedding, made.families, SPACE)
    session = Session(options(head="per-layer", rate=3e-3, swap=False), made, Projection(SIZE), None, {"smile": step})
    for _ in range(15):
        session.run_epoch()
    with torch.inference_mode():
        strengths = session.average.edits.network(made.father, made.mother)
    assert float(strengths.mean()) > 0.3


def test_a_proxy_learns_its_bridge_and_tells_its_error(tmp_path: Path) -> None:
    render = Projection(SIZE, outputs=8, seed=1)
    proxy, near = distill(render, families(), 0, 1000, lambda _: None, epochs=10)
    assert near["explained"] > 0.5
    assert near["spread"] < near["cosine"] <= 1
    save_proxy(tmp_path / "p.safetensors", proxy)
    codes, _ = parents()
    torch.testing.assert_close(load_proxy(tmp_path / "p.safetensors")(codes), proxy(codes))


def test_a_constant_explains_nothing() -> None:
    truth = F.normalize(torch.randn(200, 8, generator=torch.Generator().manual_seed(0)) + 2, dim=1)
    found = fidelity(lambda codes: truth.mean(0).expand(len(codes), -1), torch.zeros(200, 3, 16), truth)
    assert found["explained"] == pytest.approx(0, abs=1e-5)


def test_pre_training_finds_the_known_maps() -> None:
    session = Session(options(head="element", pretrain=60, rate=2e-3, swap=False), families(), Projection(SIZE))
    records = pretrain(session)
    assert records[-1]["map_correlation"] > 0.8
    assert records[-1]["map_error"] < records[0]["map_error"]


def test_children_change_families_within_their_part_only() -> None:
    made = families()
    usual, shuffled = (Families(options(shuffle_children=wanted), made, None, None) for wanted in (False, True))
    for rows in usual.parts.values():
        ours, theirs = usual.target[rows], shuffled.target[rows]
        assert not torch.equal(ours, theirs)
        assert sorted(ours[:, 0].tolist()) == sorted(theirs[:, 0].tolist())


def likeness(codes: Tensor) -> Tensor:
    """Embeddings to which large values count for more than their share, so that averages lose them."""
    return F.normalize(codes.flatten(1) ** 3, dim=1)


def relatives(count: int = 200) -> Trios:
    people = torch.randn(3, count, 3, 16, generator=torch.Generator().manual_seed(8))
    father, mother, child = (likeness(codes) for codes in people)
    names = [f"F{row}" for row in range(count)]
    return Trios(*people, child, names, SPACE, father_embedding=father, mother_embedding=mother)


def for_parents(**more: object) -> TrainOptions:
    given = {"target": "parents", "batch": 16, "noise": 0, "swap": False, "precision": "fp32", **more}
    return TrainOptions(trios=Path("-"), **given)


def test_where_parents_are_the_target_anyone_is_paired_with_anyone() -> None:
    trios, data = relatives(), Families(for_parents(), relatives(), None, None)
    batches = data.epoch(torch.Generator().manual_seed(0), 0.0)
    rows = data.parts["train"]
    people = torch.cat([trios.father[rows], trios.mother[rows], trios.child[rows]]).flatten(1)
    for side in ("father", "mother"):
        seen = torch.cat([getattr(batch, side) for batch in batches]).flatten(1)
        assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, people.tolist()))
    one = batches[0]
    torch.testing.assert_close(one.target, F.normalize(likeness(one.father) + likeness(one.mother), dim=1))
    assert len(set(one.families.tolist())) == len(one.families)
    true = data.batches("val")[0]
    torch.testing.assert_close(true.target, F.normalize(likeness(true.father) + likeness(true.mother), dim=1))


def test_strangers_teach_it_to_keep_what_an_average_loses() -> None:
    session = Session(for_parents(head="offset", rate=3e-3, dropout=(0, 0)), relatives(), likeness)
    before = session.baselines()["average"]["cosine"]
    for _ in range(6):
        after = session.run_epoch()
    assert after["val_cosine"] > before + 0.03


def heirs(count: int = 300) -> tuple[Trios, Callable[[Tensor], Tensor]]:
    """Families in which half of what is seen is handed down and half is not; and what sees it in codes."""
    numbers = torch.Generator().manual_seed(8)
    father, mother = torch.randn(2, count, 3, 16, generator=numbers)
    seen = torch.randn(48, 12, generator=numbers) / 7

    def look(codes: Tensor) -> Tensor:
        return F.normalize(codes.flatten(1) @ seen, dim=1)

    handed = torch.cat([torch.ones(6), torch.zeros(6)])
    own = torch.randn(count, 12, generator=numbers) * (0.3 * handed + (1 - handed))
    child = ((father + mother) / 2).flatten(1) @ seen * handed + own
    codes = torch.randn(count, 48, generator=numbers)
    codes = (codes + (child - codes @ seen) @ torch.linalg.pinv(seen)).unflatten(1, (3, 16))
    names = [f"F{row}" for row in range(count)]
    people = {"father_embedding": look(father), "mother_embedding": look(mother)}
    return Trios(father, mother, codes, look(codes), names, SPACE, **people), look


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_displacement_is_fitted_to_what_is_handed_down(shuffled: bool) -> None:
    trios, look = heirs()
    told: list[str] = []
    session = Session(options(head="displacement", shuffle_children=shuffled, precision="fp32"), trios, look)
    average = session.baselines()["average"]["auc"]
    found = session.fit(told.append)
    assert session.evaluate("val")["auc"] == pytest.approx(found["auc"])
    assert found["reader"] > 0.5
    if shuffled:
        assert abs(found["auc"] - average) < 0.1
    else:
        assert found["auc"] > average + 0.05
        assert found["strength"] > 0
        assert any("strength" in line for line in told)


def test_the_grid_shuffles_no_children_where_none_are_looked_at() -> None:
    usual, parents = ({name for name, _ in ablation._grid(some)} for some in (options(), for_parents()))
    assert "children shuffled" in usual
    assert "children shuffled" not in parents


def test_the_child_to_aim_at_is_the_one_that_heredity_expects(tmp_path: Path) -> None:
    heredity = Heredity(SIZE, "dlib")
    torch.nn.init.normal_(heredity.change.weight, std=0.3)
    save_heredity(tmp_path / "h.safetensors", heredity)
    given = {"target": "expected", "heredity": tmp_path / "h.safetensors"}
    plain, mixed, whole = (
        Families(for_parents(**given, heredity_share=share), relatives(), None, None).target
        for share in (0.0, 0.5, 1.0)
    )
    both = Families(for_parents(), relatives(), None, None).target
    torch.testing.assert_close(plain, both)
    torch.testing.assert_close(whole, heredity(both).detach())
    torch.testing.assert_close(mixed, F.normalize(plain + whole, dim=1))


class Drawing:
    """A generator that draws people, by their codes alone."""

    title = "projector 'drawing'"

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor:
        return psi * z[:, None].expand(-1, 3, -1)

    def average(self) -> Tensor:
        return torch.zeros(3, 16)


class Mute:
    title = "projector 'mute'"


def test_drawn_people_are_couples_too() -> None:
    drawn = draw_people(Drawing(), likeness, 40, 3, lambda _: None)
    torch.testing.assert_close(drawn.embeddings, likeness(drawn.codes))
    again = draw_people(Drawing(), likeness, 40, 3, lambda _: None)
    assert torch.equal(drawn.codes, again.codes)
    mixed = (drawn.codes[:, 0] != drawn.codes[:, 2]).any(1)
    assert 2 < int(mixed.sum()) < 38
    data = Families(for_parents(), relatives(), None, None, drawn)
    batches = data.epoch(torch.Generator().manual_seed(0), 0.0)
    seen = {tuple(code) for batch in batches for code in batch.father.flatten(1).tolist()}
    assert seen >= {tuple(code) for code in drawn.codes.flatten(1).tolist()}
    with pytest.raises(UnsupportedError, match="draws no people"):
        draw_people(Mute(), likeness, 4, 3, lambda _: None)


def test_targets_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="go together"):
        for_parents(heredity=Path("h.safetensors"))
    with pytest.raises(ValueError, match="have no children"):
        options(drawn=8)
    with pytest.raises(ValueError, match="render or proxy"):
        for_parents(bridge="projection")
    with pytest.raises(ValueError, match="no children"):
        for_parents(shuffle_children=True)
    with pytest.raises(InputError, match="embeddings of the parents"):
        Families(for_parents(), families(), None, None)


def test_mirrored_pictures_are_seen_in_training_alone() -> None:
    made = families()
    usual, more = (Families(options(), made, mirrored, None) for mirrored in (None, made))
    assert len(more.parts["train"]) == 2 * len(usual.parts["train"])
    assert more.parts["val"] == usual.parts["val"]


def test_losses_of_known_embeddings() -> None:
    one, numbers = torch.eye(4), torch.arange(4)
    torch.testing.assert_close(distance(one, one), torch.zeros(4))
    torch.testing.assert_close(distance(one, one.roll(1, 0)), torch.full((4,), 1.1))
    assert float(contrast(one, one, numbers).max()) < float(contrast(one.roll(1, 0), one, numbers).min())
    # Siblings are no rivals: with all of one family nothing is left to tell apart.
    torch.testing.assert_close(contrast(one.roll(1, 0), one, torch.zeros(4)), torch.zeros(4))


def test_checkpointing_changes_no_gradient_and_bf16_little() -> None:
    backbone = load_backbone("morphable")
    codes = torch.randn(2, 4, 512, generator=torch.Generator().manual_seed(1)) * 0.3
    gradients = []
    for more in ({}, {"checkpointing": True}, {"precision": "bf16"}):
        leaf = codes.clone().requires_grad_()
        gradients.append(torch.autograd.grad(Render(backbone, **more)(leaf)[:, 0].sum(), leaf)[0])
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5, rtol=1e-3)
    assert float(F.cosine_similarity(gradients[2].flatten(), gradients[0].flatten(), dim=0)) > 0.97


def test_the_grid_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "GRID", {"as given": {}, "swapless": {"swap": False}, "no change": {"noise": 0}})
    said: list[str] = []
    given = options(head="low-rank", epochs=1)
    for _ in range(2):
        ablation.ablate(given, families(), Projection(SIZE), None, {}, tmp_path / "grid.csv", said.append)
    lines = (tmp_path / "grid.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["options", "as given", "swapless"]
    assert len(said) == 2
