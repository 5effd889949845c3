"""What becomes of parents' looks in a child is learned from families, and from nothing else."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from kinblend import LatentSpace
from kinblend.datasets import Trios, load_trios
from kinblend.errors import CheckpointError, InputError
from kinblend.evaluation.retrieval import mean_auc
from kinblend.families.trios import save_trios
from kinblend_plugins.blenders.heredity import Heredity, load_heredity, save_heredity
from kinblend_plugins.blenders.training.heredity import train
from kinblend_plugins.blenders.training.options import HeredityOptions
from kinblend_plugins.blenders.training.photographs import of_children, of_couples

SIZE, HANDED_DOWN = 16, 4


def families(count: int = 600) -> Trios:
    """Children who have the first few numbers from their parents, and the others from nobody."""
    draw = torch.Generator().manual_seed(3)
    father, mother, child = torch.randn(3, count, SIZE, generator=draw)
    child[:, :HANDED_DOWN] = (father + mother)[:, :HANDED_DOWN] / 2 + 0.3 * child[:, :HANDED_DOWN]
    codes = torch.zeros(3, count, 1, 2)
    names = [f"F{row}" for row in range(count)]
    space = LatentSpace("made-up", 1, 2, "0" * 64)
    return Trios(
        *(some.clone() for some in codes), child, names, space, father_embedding=father, mother_embedding=mother
    )


@pytest.fixture(scope="module")
def trios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("families") / "trios.safetensors"
    save_trios(path, families())
    return path


def judged(found: Tensor, trios: Trios) -> float:
    """The AUC on families that are never learned from."""
    rows = trios.split_rows(0)["test"]
    return mean_auc(trios.select(rows), found[rows], of_children(trios)[rows])


def test_what_is_no_better_than_the_parents_mean_is_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_trios(tmp_path / "trios.safetensors", families(60))

    def spoiled(both: Tensor, *_: object) -> Heredity:
        heredity = Heredity(both.shape[1], "dlib")
        with torch.no_grad():
            heredity.change.weight.copy_(-2 * torch.eye(both.shape[1]))  # the opposite of the parents
        return heredity

    monkeypatch.setattr("kinblend_plugins.blenders.training.heredity.learn", spoiled)
    out = train(HeredityOptions(trios=tmp_path / "trios.safetensors"), tmp_path / "h.safetensors")
    assert not load_heredity(out).change.weight.any()


def test_it_learns_what_is_handed_down(trios: Path, tmp_path: Path) -> None:
    told: list[str] = []
    heredity = load_heredity(train(HeredityOptions(trios=trios), tmp_path / "h.safetensors", told.append))
    made = load_trios(trios)
    both = of_couples(made)
    with torch.no_grad():
        assert judged(heredity(both), made) > judged(both, made) + 0.05
    assert heredity.identity == "dlib"
    learned, mean = (float(number) for number in re.findall(r"0\.\d+", told[-1]))
    assert learned > mean + 0.05


def test_other_families_children_teach_nothing(trios: Path, tmp_path: Path) -> None:
    options = HeredityOptions(trios=trios, shuffle_children=True)
    heredity = load_heredity(train(options, tmp_path / "h.safetensors"))
    made = load_trios(trios)
    both = of_couples(made)
    with torch.no_grad():
        assert judged(heredity(both), made) < judged(both, made) + 0.02


def test_untrained_it_expects_the_parents_mean() -> None:
    both = F.normalize(torch.randn(5, SIZE), dim=1)
    torch.testing.assert_close(Heredity(SIZE, "dlib")(both), both)


def test_the_file_says_whose_embeddings_it_is_for(tmp_path: Path) -> None:
    path = tmp_path / "h.safetensors"
    heredity = Heredity(SIZE, "facenet")
    torch.nn.init.normal_(heredity.change.weight)
    save_heredity(path, heredity)
    loaded, both = load_heredity(path), F.normalize(torch.randn(5, SIZE), dim=1)
    assert loaded.identity == "facenet"
    torch.testing.assert_close(loaded(both), heredity(both))
    save_file({"change.weight": torch.zeros(4, 4), "change.bias": torch.zeros(4)}, path)
    with pytest.raises(CheckpointError, match="whose embeddings"):
        load_heredity(path)
    save_file({"change.weight": torch.zeros(4, 3), "change.bias": torch.zeros(4)}, path, {"identity": "dlib"})
    with pytest.raises(CheckpointError, match=r"change\.weight"):
        load_heredity(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="can't be read"):
        load_heredity(path)


def test_without_the_parents_embeddings_it_says_so(tmp_path: Path) -> None:
    made = families(20)
    bare = Trios(made.father, made.mother, made.child, made.embedding, made.families, made.space)
    save_trios(tmp_path / "t.safetensors", bare)
    with pytest.raises(InputError, match="embeddings of the parents"):
        train(HeredityOptions(trios=tmp_path / "t.safetensors"), tmp_path / "h.safetensors")
