"""Identity networks by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kinblend.errors import CheckpointError, ModelError, UsageError
from kinblend.identity import load_identity
from kinblend.plugins import _components
from kinblend_plugins.identity_networks import facenet, mobilefacenet
from kinblend_plugins.package_shims import import_inception


@pytest.fixture(autouse=True)
def _made_anew() -> Iterator[None]:
    """Networks of the weights of one test must not be another's."""
    kept = dict(_components)
    yield
    _components.clear()
    _components.update(kept)


def test_dlib_is_always_there_and_sees_the_face_alone() -> None:
    identity = load_identity("dlib")
    pictures = torch.rand(1, 3, identity.input_side, identity.input_side, generator=torch.Generator().manual_seed(0))
    framed = pictures.clone()
    framed[..., :10] = 1
    found = identity.embed_pictures(torch.cat([pictures, framed]))
    assert found.shape == (2, identity.embedding_size)
    torch.testing.assert_close(found[0], found[1])


def test_unknown_names_and_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="dlib, facenet, mobilefacenet"):
        load_identity("nobody")
    with pytest.raises(ModelError, match="put it there, or use dlib"):
        load_identity("facenet")


def test_facenet_where_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights in the published file's layout: the classifier's tensors in it are left out."""
    torch.manual_seed(0)
    network = import_inception()(pretrained=None).eval()
    state = network.state_dict() | {"logits.weight": torch.zeros(2, 512), "logits.bias": torch.zeros(2)}
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / facenet.FILE)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = load_identity("facenet").embed_pictures(pictures)
    torch.testing.assert_close(found, network(facenet.chips(pictures) * (127.5 / 128)))
    [gradient] = torch.autograd.grad(found.sum(), pictures)
    assert float(gradient.abs().max()) > 0


def test_mobilefacenet_where_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights in the published file's layout."""
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="put it there, or use dlib"):
        load_identity("mobilefacenet")
    torch.manual_seed(0)
    network = mobilefacenet.Network().eval()
    path = tmp_path / "identity" / mobilefacenet.FILE
    path.parent.mkdir()
    torch.save(network.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"068\.ckpt"):
        load_identity("mobilefacenet")
    torch.save({"epoch": 68, "net_state_dict": network.state_dict()}, path)
    identity = load_identity("mobilefacenet")
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = identity.embed_pictures(pictures)
    assert found.shape == (2, identity.embedding_size)
    torch.testing.assert_close(found[:, :128], network(mobilefacenet.chips(pictures) * (127.5 / 128)))
    turned = identity.embed_pictures(pictures.flip(-1))
    torch.testing.assert_close(turned, found.roll(128, 1), rtol=1e-3, atol=1e-3)
    [gradient] = torch.autograd.grad(found.sum(), pictures)
    assert float(gradient.abs().max()) > 0
