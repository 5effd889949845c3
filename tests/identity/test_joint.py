"""Several identity networks taken as one."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import IdentityNetwork
from kinblend.errors import UsageError
from kinblend.face_interfaces import SimilarityScale
from kinblend.identity import load_identity
from kinblend.identity.joint import JointIdentity


class Halves(IdentityNetwork):
    """The mean colour of the upper and of the lower half."""

    embedding_size, input_side, name, distribution = 6, 32, "halves", "tests 1"
    scale = SimilarityScale(strangers=0.1, siblings=0.34)

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        upper, lower = pictures.chunk(2, dim=2)
        return 5 * torch.cat([upper.mean((2, 3)), lower.mean((2, 3))], 1)


PICTURES = (
    torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    * torch.linspace(0.1, 1, 4)[:, None, None, None]
)


def test_the_cosine_is_the_weighted_mean_of_their_cosines() -> None:
    """dlib's cosines differ by 0.06 between strangers and siblings, the other's by 0.24: dlib counts four times."""
    dlib, halves = load_identity("dlib"), Halves()
    joint = JointIdentity([dlib, halves])
    assert joint.name == "dlib+halves"
    with torch.inference_mode():
        found = joint.embed_pictures(PICTURES)
        apart = [F.normalize(network.embed_pictures(PICTURES)) for network in (dlib, halves)]
    assert found.shape == (4, joint.embedding_size) == (4, 128 + 6)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))
    one, other = (embeddings @ embeddings.T for embeddings in apart)
    torch.testing.assert_close(found @ found.T, 0.8 * one + 0.2 * other)


def test_one_of_them_is_what_it_gives_itself() -> None:
    dlib, halves = load_identity("dlib"), Halves()
    joint = JointIdentity([dlib, halves])
    with torch.inference_mode():
        found, alone = joint.embed_pictures(PICTURES), halves.embed_pictures(PICTURES)
    torch.testing.assert_close(F.normalize(joint.select(found, halves)), F.normalize(alone))
    torch.testing.assert_close(joint.select(found, JointIdentity([dlib, halves])), found)
    stranger = Halves()
    stranger.name = "stranger"
    with pytest.raises(UsageError, match="of dlib and halves, not of stranger"):
        joint.select(found, stranger)


def test_a_name_twice_and_an_unknown_one() -> None:
    with pytest.raises(UsageError, match="twice"):
        load_identity("dlib+dlib")
    with pytest.raises(UsageError, match="'nobody'"):
        load_identity("dlib+nobody")
