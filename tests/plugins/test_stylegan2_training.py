"""A training learns, step by step and reproducibly, and the discriminator sees what it should."""

import copy
from pathlib import Path

import pytest
import torch
from toy_faces import pixels, session, tiny

from kinblend.errors import ModelError, OptionError
from kinblend_plugins.stylegan2.training import blends, identity_loss
from kinblend_plugins.stylegan2.training.faces import batch
from kinblend_plugins.stylegan2.training.metrics import measure
from kinblend_plugins.stylegan2.training.networks import noises
from kinblend_plugins.stylegan2.training.session import Session


def test_reconstructions_of_drawn_faces_become_better() -> None:
    training, held_out = session(faces=24, rate=0.004), pixels(32)[24:]
    before = measure(training, held_out)
    found = [training.step() for _ in range(100)]
    early, late = (sum(float(step["pixel"]) for step in part) for part in (found[:10], found[-10:]))
    assert late < 0.6 * early
    after = measure(training, held_out)
    assert after["psnr"] > before["psnr"] + 2
    assert after["l1"] < before["l1"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, again, other = session(), session(), session(seed=1)
    for training in (first, again, other):
        for _ in range(3):
            training.step()
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_gradients_are_finite_in_bfloat16() -> None:
    training = session(precision="bf16", r1_every=1, path_length=1.0, path_every=1, delta_start=0, delta_every=1)
    for _ in range(3):
        assert {"r1", "path", "pixel", "delta"} <= set(training.step())
    for name in ("generator", "encoder", "discriminator"):
        gradients = [weight.grad for weight in getattr(training.networks, name).parameters()]
        assert all(gradient is None or bool(torch.isfinite(gradient).all()) for gradient in gradients), name
        assert sum(gradient is not None and bool(gradient.any()) for gradient in gradients) > 0.8 * len(gradients)


def test_bfloat16_and_float32_agree_at_the_first_step() -> None:
    one, other = session().step(), session(precision="bf16").step()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0.05, atol=0.02)


def test_the_discriminator_sees_pictures_of_blends() -> None:
    training = session(blends=1.5, samples=0.5)
    before, shown = copy.deepcopy(training.networks), []
    training.networks.discriminator.register_forward_pre_hook(lambda _, given: shown.append(given[0].detach()))
    training.step()
    real = batch(training.pixels, 0, 4, 0, True, torch.device("cpu"))
    assert torch.equal(shown[0], real)
    codes, _ = before.encoder(real, 0)
    source = session(blends=1.5, samples=0.5).source
    couples = blends.draw(4, 6, 6, 16, source("blends"))
    children = codes[couples.fathers] * couples.weights + codes[couples.mothers] * (1 - couples.weights)
    maps = [noise[4:10] for noise in noises(before.generator, 12, source("noise"))]
    with torch.no_grad():
        torch.testing.assert_close(shown[1][4:10], before.generator(children, maps), atol=1e-4, rtol=0)
    assert len(shown[1]) == 4 + 6 + 2


def test_without_blends_and_samples_only_reconstructions_are_shown() -> None:
    training, shown = session(blends=0.0, samples=0.0), []
    training.networks.discriminator.register_forward_pre_hook(lambda _, given: shown.append(len(given[0])))
    training.step()
    assert set(shown) == {4}


@pytest.mark.parametrize(("target", "rises"), [(0.6, True), (1.0, False)])
def test_augmentation_rises_when_the_discriminator_knows_its_few_faces(target: float, rises: bool) -> None:
    # A generator that does not answer is soon seen through. No mean sign is above 1: then it can't rise.
    training = session(faces=4, adversarial=0.0, pixel=0.0, ada_target=target, ada_images=1000, mirror=False)
    for _ in range(40):
        training.step()
    assert (training.probability.value > 0.02) == rises


def test_layers_may_leave_the_first_one_after_another() -> None:
    recipe = tiny(delta_start=40, delta_every=8)
    assert [recipe.steps_allowed(seen) for seen in (0, 39, 40, 47, 48, 1000)] == [0, 0, 1, 1, 2, 5]
    training = session(delta_start=8)
    for _ in range(6):
        training.step()  # the last with two layers free
    images = batch(training.pixels, 0, 4, 0, False, torch.device("cpu"))
    with torch.no_grad():
        _, offsets = training.networks.encoder(images, 2)
        everything, _ = training.networks.encoder(images)
    assert (offsets.abs().amax(dim=(0, 2)) > 0).tolist() == [True, True, False, False, False]
    assert everything.shape == (4, 6, 16)


def test_the_running_average_follows_slowly() -> None:
    training = session(average_images=10**6)
    training.step()
    first = training.networks.average_generator.const.clone()
    for _ in range(20):
        training.step()
    steady, fast = (getattr(training.networks, name).const.detach() for name in ("average_generator", "generator"))
    assert 0 < float((steady - first).norm()) < float((fast - first).norm())


def test_the_identity_loss_reaches_generator_and_encoder_where_dlibs_network_is() -> None:
    plain, training = session(), session(identity="on", identity_every=1)
    for _ in range(3):  # Adam's first step only takes signs
        assert "identity" not in plain.step()
        assert float(training.step()["identity"]) > 0
    # The same draws and the same first weights: only the identity loss can make the difference.
    assert not torch.equal(plain.networks.generator.const, training.networks.generator.const)
    assert not torch.equal(plain.networks.encoder.stem.weight, training.networks.encoder.stem.weight)


def test_identity_is_zero_for_the_same_face_and_differentiable_for_another() -> None:
    network = identity_loss.find(tiny(identity="on"), torch.device("cpu"))
    assert network is not None
    faces = batch(pixels(4), 0, 4, 0, False, torch.device("cpu"))
    assert float(identity_loss.distance(network, faces, faces).max()) < 1e-3
    leaf = faces.clone().requires_grad_()
    identity_loss.distance(network, leaf, faces.roll(1, 0)).sum().backward()
    assert float(leaf.grad.abs().sum()) > 0


def test_a_machine_without_dlibs_file_trains_without_the_identity_loss(tmp_path: Path) -> None:
    nowhere = tmp_path / "none.dat"
    assert identity_loss.find(tiny(identity="off"), torch.device("cpu")) is None
    with pytest.raises(ModelError, match="identity=off"):
        identity_loss.find(tiny(identity="on", identity_file=nowhere), torch.device("cpu"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 1}, "batch=1: give at least 2"),
        ({"resolution": 48}, "give 16, 32, 64"),
        ({"resolution": 1024}, "at most 512"),
        ({"precision": "fp8"}, "use auto, fp32, bf16"),
        ({"r1": float("nan")}, "r1=nan"),
    ],
)
def test_options_out_of_range_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        tiny(**options)


def same_weights(one: Session, other: Session) -> bool:
    theirs = other.networks.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.networks.state_dict().items())
