"""Identity networks on a device; torch's meta device stands for one that is not the CPU."""

import torch
from torch import Tensor, nn

from kinblend import IdentityNetwork
from kinblend.identity import embedder_on, load_identity
from kinblend.identity.joint import JointIdentity

META = torch.device("meta")


class Mean(IdentityNetwork):
    """The mean colour: nothing of torch's among its attributes."""

    embedding_size, input_side, name, distribution = 3, 32, "mean", "tests 1"

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        return pictures.mean((2, 3))


def test_networks_are_copied_to_the_device_and_the_network_stays() -> None:
    network = load_identity("dlib")
    found = embedder_on(network, META)(torch.zeros(2, 3, 150, 150))
    assert (found.device, tuple(found.shape)) == (META, (2, 128))
    assert {parameter.device.type for parameter in network.network.parameters()} == {"cpu"}


def test_one_without_networks_works_on_the_cpu() -> None:
    pictures = torch.rand(2, 3, 32, 32)
    assert embedder_on(Mean(), META)(pictures).equal(pictures.mean((2, 3)))


def test_those_of_a_joint_network_are_moved_too() -> None:
    joint = JointIdentity([load_identity("dlib"), load_identity("dlib")])
    assert embedder_on(joint, META)(torch.zeros(1, 3, 150, 150)).device == META


def test_on_the_cpu_it_is_the_network_itself() -> None:
    network, pictures = load_identity("dlib"), torch.rand(1, 3, 150, 150)
    with torch.inference_mode():
        assert embedder_on(network, torch.device("cpu"))(pictures).equal(network.embed_pictures(pictures))
    assert isinstance(network.network, nn.Module)
