"""A detector, landmarker, identity network or upscaler that returns something wrong is named, whoever uses it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from plugin_site import Site, here

from kinblend.errors import PluginError
from kinblend.face_checks import guard
from kinblend.face_interfaces import Detection, FaceDetector, IdentityNetwork, Landmarker, Upscaler

PICTURES = [Image.new("RGB", (64, 48))] * 2
POINTS = np.zeros((68, 2))
FIVE = np.zeros((5, 2))
FACE = Detection((1, 2, 30, 40), 0.9, FIVE)


def detector(found: object) -> FaceDetector:
    class Detector(FaceDetector):
        def detect(self, images):
            return found

    return named(Detector())


def landmarker(found: object) -> Landmarker:
    class Points(Landmarker):
        def predict(self, image, box):
            return found

        def predict_in_crop(self, image):
            return found

        def predict_by_own_detector(self, image, near):
            return found

    return named(Points())


def network(found: object) -> IdentityNetwork:
    class Network(IdentityNetwork):
        embedding_size, input_side = 3, 64

        def embed_pictures(self, pictures):
            return found(pictures) if callable(found) else found

    return named(Network())


def upscaler(found: object, factor: object = 2) -> Upscaler:
    class Larger(Upscaler):
        def upscale(self, images):
            return found

    Larger.factor = factor
    return named(Larger())


def named(component):
    component.name, component.distribution = "mine", "strangers 1.0"
    guard(component)
    return component


def box(*sides: object, probability: float = 0.9, points: object = FIVE) -> list[list[object]]:
    return [[Detection(sides, probability, points)], []]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "a NoneType"),
        ([[FACE]], "a list of 1"),
        ([(FACE,), []], "a tuple for a picture"),
        ([[(1, 2, 3, 4)], []], "a tuple for a face"),
        (box(1, 2, 3), "a box of shape [3]"),
        (box([1, 2], [3, 4]), "a box of shape [2, 2]"),
        (box(1, 2, 3, float("nan")), "the box (1, 2, 3, nan)"),
        (box(30, 2, 1, 40), "the box (30, 2, 1, 40)"),
        (box(1, 2, 30, 40, probability=97.0), "the probability 97"),
        (box(1, 2, 30, 40, points=[[0, 0]] * 5), "points that are a list"),
        (box(1, 2, 30, 40, points=POINTS), "points that are float64 [68, 2]"),
        (box(1, 2, 30, 40, points=FIVE * np.nan), "points that are NaN or infinite"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_detector(found: object, said: str) -> None:
    with pytest.raises(PluginError) as error:
        detector(found).detect(PICTURES)
    assert str(error.value).startswith(
        f"detector 'mine' of strangers 1.0 returned {said} from detect, not a list of 2"
    )


def test_what_fails_inside_is_named() -> None:
    with pytest.raises(PluginError, match=r"detector 'mine' of strangers 1.0 failed: ValueError"):
        detector(box(1, 2, "x", 4)).detect(PICTURES)
    with pytest.raises(PluginError, match=r"identity-network 'mine' of strangers 1.0 failed: RuntimeError"):
        network(lambda pictures: pictures @ torch.ones(3, 7, 7)).embed_pictures(torch.zeros(2, 3, 64, 64))


@pytest.mark.parametrize(
    ("found", "said"),
    [(POINTS[:67], r"float64 \[67, 2\]"), (POINTS.astype(int), "int"), (POINTS + np.inf, "NaN"), (3, "a int")],
    ids=["67", "integers", "infinite", "number"],
)
def test_a_landmarker(found: object, said: str) -> None:
    mine = landmarker(found)
    for use in (lambda: mine.predict(PICTURES[0], [0, 0, 9, 9]), lambda: mine.predict_in_crop(PICTURES[0])):
        with pytest.raises(PluginError, match=rf"landmarker 'mine' .* returned points that are {said}"):
            use()
    with pytest.raises(PluginError, match="or None"):
        mine.predict_by_own_detector(PICTURES[0], near=[0, 0, 9, 9])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (torch.ones(2, 4), r"float32 \[2, 4\]"),
        (torch.ones(3), r"float32 \[3\]"),
        (torch.ones(2, 3).double(), r"float64 \[2, 3\]"),
        (torch.full((2, 3), torch.nan), "NaN or infinity"),
        (np.ones((2, 3)), "a ndarray"),
    ],
    ids=["size", "one", "float64", "nan", "numpy"],
)
def test_an_identity_network(found: object, said: str) -> None:
    with pytest.raises(PluginError, match=rf"identity-network 'mine' .* returned {said} from embed_pictures"):
        network(found).embed_pictures(torch.zeros(2, 3, 64, 64))
    with pytest.raises(PluginError, match=r"not finite numbers, float32 \[., 3\]"):
        network(found).embed_faces(PICTURES)


def test_a_broken_picture_is_not_the_networks_fault() -> None:
    mine = network(lambda pictures: pictures.mean((2, 3)))
    assert bool(mine.embed_pictures(torch.full((2, 3, 8, 8), torch.nan)).isnan().all())


def test_mixed_precision_and_gradients_pass() -> None:
    linear = torch.nn.Linear(3, 3)
    mine = network(lambda pictures: linear(pictures.mean((2, 3))))
    pictures = torch.rand(2, 3, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert mine.embed_pictures(pictures).dtype == torch.bfloat16
    [gradient] = torch.autograd.grad(mine.embed_pictures(pictures).sum(), pictures)
    assert float(gradient.abs().sum()) > 0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (tuple(PICTURES), "a tuple"),
        (PICTURES[:1], "a list of 1"),
        (PICTURES, "RGB of 64×48 pixels for 64×48"),
        ([Image.new("RGB", (32, 24))] * 2, "RGB of 32×24 pixels for 64×48"),
        ([Image.new("L", (128, 96))] * 2, "L of 128×96 pixels for 64×48"),
        ([np.zeros((96, 128, 3))] * 2, "a ndarray for a picture"),
    ],
    ids=["tuple", "fewer", "same", "smaller", "grey", "array"],
)
def test_an_upscaler(found: object, said: str) -> None:
    with pytest.raises(PluginError, match=f"upscaler 'mine' of strangers 1.0 returned {said} from upscale"):
        upscaler(found).upscale(PICTURES)


@pytest.mark.parametrize("factor", [0, 2.5, True, None], ids=repr)
def test_numbers_that_a_class_has_to_have(factor: object) -> None:
    with pytest.raises(PluginError, match="as its factor, not a whole number from 1 up"):
        upscaler(PICTURES, factor)


def test_right_answers_pass() -> None:
    assert detector([[FACE], []]).detect(PICTURES) == [[FACE], []]
    assert landmarker(POINTS).predict_in_crop(PICTURES[0]) is POINTS
    assert landmarker(None).predict_by_own_detector(PICTURES[0], [0, 0, 9, 9]) is None
    assert tuple(network(lambda pictures: pictures.mean((2, 3))).embed_faces(PICTURES).shape) == (2, 3)
    large = [Image.new("RGB", (128, 96))] * 2
    assert upscaler(large).upscale(PICTURES) is large


STRANGERS = """
import kinblend, torch
from PIL import Image
from kinblend.face_interfaces import Detection, FaceDetector, Upscaler

class Small(Upscaler):
    def upscale(self, images):
        return [image.resize((4, 4)) for image in images]

class Boxes(FaceDetector):
    def detect(self, images):
        return [[Detection((1, 2), 0.9, None)] for _ in images]

class Nothing(kinblend.IdentityNetwork):
    embedding_size, input_side = 3, 64
    def embed_pictures(self, pictures):
        return pictures.mean((2, 3)) / 0

@kinblend.hookimpl
def kinblend_register_upscalers(register):
    register(kinblend.PluginSpec("small", "a test", "odd_plugin:Small"))

@kinblend.hookimpl
def kinblend_register_detectors(register):
    register(kinblend.PluginSpec("boxes", "a test", "odd_plugin:Boxes"))

@kinblend.hookimpl
def kinblend_register_identity_networks(register):
    register(kinblend.PluginSpec("nothing", "a test", "odd_plugin:Nothing"))
"""
USE = """
from PIL import Image
from kinblend.errors import PluginError
from kinblend.faces import find_face
from kinblend.faces.upscale import enlarge
from kinblend.identity import face_cosines
picture = Image.new("RGB", (64, 64), "teal")
for use in (lambda: find_face(picture), lambda: enlarge([picture], "small"), lambda: face_cosines([picture])):
    try:
        use()
    except PluginError as error:
        print(error)
"""


def test_the_engine_names_a_strangers_plugin(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add("odd", STRANGERS)
    site.environ |= {"KINBLEND_DETECTOR": "boxes", "KINBLEND_IDENTITY_NETWORK": "nothing"}
    lines = site.python(USE).stdout.splitlines()
    assert [line.partition(" returned ")[0] for line in lines] == [
        "detector 'boxes' of odd 1.0",
        "upscaler 'small' of odd 1.0",
        "identity-network 'nothing' of odd 1.0",
    ]
    assert "a box of shape [2]" in lines[0]
    assert "RGB of 4×4 pixels for 64×64" in lines[1]
    assert "NaN or infinity" in lines[2]
    shown = site.kinblend("blenders", "show", "likeness").stdout
    assert "faceplugin or nothing" in shown


def test_the_option_of_a_strategy_lists_and_refuses_identity_networks(tmp_path: Path) -> None:
    code, out, _ = here("blenders", "show", "likeness")
    assert (code, "dlib, facenet" in out) == (0, True)
    (tmp_path / "a.jpg").touch()
    people = ("--father", tmp_path / "a.jpg", "--mother", tmp_path / "a.jpg")
    words = ("run", *people, "--blender", "likeness", "--out", tmp_path / "out")
    code, _, error = here(*words, "--set", "blender.identity=nobody", KINBLEND_HOME=tmp_path)
    assert (code, error.count("\n")) == (2, 1)
    assert "there is no identity-network 'nobody'; there are: dlib, facenet" in error
