"""What groups of layers are called, which noise is asked for, and what is checked of what plugins return."""

import pytest
import torch

from kinblend import Blend, Blender, Context, Latent, LatentSpace, Projector, load_backbone
from kinblend.cancellation import cancellable
from kinblend.errors import PluginError, UnsupportedError, UsageError
from kinblend.interfaces import (
    AgesDetail,
    HandsDownWhole,
    HasPrior,
    InvertsImages,
    KeepsDetail,
    RemovesLighting,
    SamplesLatents,
)
from kinblend_plugins.stylegan2.projector import layer_groups


@pytest.mark.parametrize("layers", [1, 2, 4, 8, 9, 10, 14, 16, 18])
def test_parts_cover_every_layer_once(layers: int) -> None:
    spans = list(layer_groups(layers).values())
    assert [layer for first, last in spans for layer in range(first, last + 1)] == list(range(layers))


def test_the_groups_are_those_of_stylegan() -> None:
    assert layer_groups(18) == {"shape": (0, 3), "features": (4, 7), "complexion and detail": (8, 17)}


def test_a_backbone_that_says_nothing_has_one_group() -> None:
    class Plain(Projector):
        def synthesize(self, codes, *, noise="const", seed=0, size=None):
            return codes

    projector = Plain(None, Context(LatentSpace("plain", 5, 8, "0" * 64)))
    assert projector.layer_groups() == projector.context.layer_groups() == {"all": (0, 4)}
    known = (SamplesLatents, InvertsImages, KeepsDetail, AgesDetail, HasPrior, RemovesLighting, HandsDownWhole)
    assert projector.context.whole_groups() == ()
    assert not any(isinstance(projector, protocol) for protocol in known)


class Strict(Projector):
    """Takes no noise but the two kinds it names, and no call without one."""

    resolution = 8
    noise_kinds = ("none", "random")

    def synthesize(self, codes, *, noise, seed=0, size=None):
        assert noise in self.noise_kinds
        return codes.new_full((len(codes), 3, 8, 8), {"none": -1.0, "random": 1.0}[noise])


def test_a_projector_is_asked_for_its_own_first_kind_of_noise() -> None:
    space = LatentSpace("strict", 5, 8, "0" * 64)
    projector, codes = Strict(None, Context(space)), torch.zeros(1, 5, 8)
    latents = [Latent(codes[0], space)]
    assert projector.render(latents)[0].getpixel((0, 0)) == (0, 0, 0)
    assert projector.render(latents, noise="random")[0].getpixel((0, 0)) == (255, 255, 255)
    assert float(projector.preview(8)(codes).max()) == -1
    with pytest.raises(UsageError, match=r"noise='const': projector Strict takes none, random"):
        projector.render(latents, noise="const")


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (torch.zeros(1, 3, 8), r"float32 \[1, 3, 8\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.float16), r"float16 \[1, 3, 8, 8\]"),
        (torch.zeros(1, 3, 16, 16), r"float32 \[1, 3, 16, 16\]"),
        (torch.zeros(2, 3, 8, 8), r"float32 \[2, 3, 8, 8\]"),
        ([torch.zeros(3, 8, 8)], "a list"),
    ],
)
def test_what_a_projector_returns_is_checked(made, found: str) -> None:
    class Wrong(Strict):
        def synthesize(self, codes, *, noise, seed=0, size=None):
            return made

    space = LatentSpace("strict", 5, 8, "0" * 64)
    latents = [Latent(torch.zeros(5, 8), space)]
    said = rf"projector .*Wrong returned {found} from synthesize, not float32 \[1, 3, 8, 8\]"
    with pytest.raises(PluginError, match=said):
        Wrong(None, Context(space)).render(latents)


def test_a_blender_of_neither_method_and_one_of_wrong_weights_are_told_so() -> None:
    class Nothing(Blender):
        pass

    class Twice(Blender):
        def weights(self, father, mother, seed):
            return father + 2

    class Whole(Blender):
        def blend(self, father, mother, seed):
            return Blend(father)

    context, code = Context(LatentSpace("toy", 5, 8, "0" * 64)), torch.zeros(5, 8)
    with pytest.raises(PluginError, match=r"blender .*Nothing implements neither weights nor blend"):
        Nothing(None, context).blend(code, code, 0)
    with pytest.raises(PluginError, match=r"blender .*Twice returned an invalid value: "):
        Twice(None, context).blend(code, code, 0)
    with pytest.raises(UnsupportedError, match=r"blender .*Whole gives no weight map: it overrides `blend`"):
        Whole(None, context).weights(code, code, 0)


def test_backbones_refuse_noise_that_their_projector_does_not_take() -> None:
    backbone = load_backbone("morphable")
    latent = Latent(torch.zeros(backbone.space.layers, backbone.space.dim), backbone.space)
    assert backbone.render([latent])[0].tobytes() == backbone.render([latent], noise="none")[0].tobytes()
    for kind in ("const", "random"):
        with pytest.raises(UsageError, match=f"noise='{kind}': projector 'morphable' of .* takes none"):
            backbone.render([latent], noise=kind)


def test_the_embedded_backbone_has_its_own_names() -> None:
    parts = load_backbone("morphable").projector.layer_groups()
    assert parts == {"shape": (0, 0), "complexion": (1, 1), "features": (2, 2), "detail": (3, 3)}


class Counting(Strict):
    """Remembers how many pictures it was asked for at once."""

    together = 3

    def __init__(self, space: LatentSpace) -> None:
        super().__init__(None, Context(space))
        self.asked: list[int] = []

    def synthesize(self, codes, *, noise, seed=0, size=None):
        self.asked.append(len(codes))
        return codes[:, :1, :1, None].expand(-1, 3, 8, 8).contiguous()


def test_many_pictures_are_made_some_at_a_time() -> None:
    space = LatentSpace("counting", 5, 8, "0" * 64)
    projector, codes = Counting(space), torch.linspace(-1, 1, 7)[:, None, None].expand(-1, 5, 8)
    pictures = projector.render([Latent(code.clone(), space) for code in codes])
    assert projector.asked == [3, 3, 1]
    assert [picture.getpixel((0, 0))[0] for picture in pictures] == [0, 43, 85, 128, 170, 213, 255]


def test_work_is_given_up_between_some_pictures_and_the_next() -> None:
    space = LatentSpace("counting", 5, 8, "0" * 64)
    projector = Counting(space)

    def check() -> None:
        if projector.asked:
            raise KeyboardInterrupt

    with cancellable(check), pytest.raises(KeyboardInterrupt):
        projector.render([Latent(torch.zeros(5, 8), space)] * 7)
    assert projector.asked == [3]
