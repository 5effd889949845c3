"""Identity networks by name."""

from pathlib import Path

import pytest
import torch

from kinblend.errors import CheckpointError, ModelError, UsageError
from kinblend.faces.facenet_shim import import_facenet
from kinblend.identity import facenet, identity_by_name, mobilefacenet


def test_dlib_is_always_there_and_sees_the_face_alone() -> None:
    identity = identity_by_name("dlib")
    pictures = torch.rand(1, 3, identity.best_side, identity.best_side, generator=torch.Generator().manual_seed(0))
    framed = pictures.clone()
    framed[..., :10] = 1
    found = identity.of_pictures(torch.cat([pictures, framed]))
    assert found.shape == (2, identity.size)
    torch.testing.assert_close(found[0], found[1])


def test_unknown_names_and_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    facenet.network.cache_clear()
    with pytest.raises(UsageError, match="dlib, facenet, mobilefacenet"):
        identity_by_name("nobody")
    with pytest.raises(ModelError, match="put it there, or use dlib"):
        identity_by_name("facenet")


def test_facenet_where_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights in the published file's layout: the classifier's tensors in it are left out."""
    torch.manual_seed(0)
    network = import_facenet().InceptionResnetV1(pretrained=None).eval()
    state = network.state_dict() | {"logits.weight": torch.zeros(2, 512), "logits.bias": torch.zeros(2)}
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / facenet.FILE)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    facenet.network.cache_clear()
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = identity_by_name("facenet").of_pictures(pictures)
    torch.testing.assert_close(found, network(facenet.chips(pictures) * (127.5 / 128)))
    [gradient] = torch.autograd.grad(found.sum(), pictures)
    assert float(gradient.abs().max()) > 0
    facenet.network.cache_clear()


def test_mobilefacenet_where_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights in the published file's layout."""
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    mobilefacenet.network.cache_clear()
    with pytest.raises(ModelError, match="put it there, or use dlib"):
        identity_by_name("mobilefacenet")
    torch.manual_seed(0)
    network = mobilefacenet.MobileFaceNet().eval()
    path = tmp_path / "identity" / mobilefacenet.FILE
    path.parent.mkdir()
    torch.save(network.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"068\.ckpt"):
        identity_by_name("mobilefacenet")
    torch.save({"epoch": 68, "net_state_dict": network.state_dict()}, path)
    identity = identity_by_name("mobilefacenet")
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = identity.of_pictures(pictures)
    assert found.shape == (2, identity.size)
    torch.testing.assert_close(found[:, :128], network(mobilefacenet.chips(pictures) * (127.5 / 128)))
    turned = identity.of_pictures(pictures.flip(-1))
    torch.testing.assert_close(turned, found.roll(128, 1), rtol=1e-3, atol=1e-3)
    [gradient] = torch.autograd.grad(found.sum(), pictures)
    assert float(gradient.abs().max()) > 0
    mobilefacenet.network.cache_clear()
