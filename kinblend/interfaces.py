"""Base classes of the plugins that work in a latent space: Encoder, Blender, Editor, Projector.

Those that look at photographs are in `kinblend.face_interfaces`; the other kinds are functions (docs/plugins.md).

Tensors are float32 at every boundary, whatever precision a module runs in. `n` is the batch, `L` the layers and
`D` the dimensions of the latent space. A class declares its options as a pydantic model in its `PluginSpec`;
its constructor takes `(options, context)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from kinblend.blend import Blend as Blend
from kinblend.blend import Region as Region
from kinblend.blend import weighted_sum as weighted_sum
from kinblend.cancellation import check_cancelled
from kinblend.errors import LatentError, PluginError, UnsupportedError, UsageError, wrap_plugin_errors
from kinblend.types import AlignedFace, Latent, LatentSpace, Target, WeightMap

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel
    from torch import Tensor, nn

Noise = Literal["const", "none", "random"]
NO_VALUES = (
    "build_network makes networks on torch's meta device and fills in what state_dict() lists alone: make it a "
    "persistent buffer that is in the file of weights, or compute it in forward"
)


@dataclass(frozen=True)
class Context:
    """Runtime context passed to a plugin's constructor.

    Args:
        space: the latent space of the backbone in use.
        files: the files of its model pack by name ("generator.safetensors"), verified.
        settings: the pack's own parameters (resolution, channel width …), as in its `pack.json`.
        projector: gives the backbone's projector, for a plugin that looks at pictures; None where there is no
            backbone.

    Example:
        >>> Context(LatentSpace("toy", 4, 512, "ab" * 32)).layer_groups()
        {'all': (0, 3)}
    """

    space: LatentSpace
    files: Mapping[str, Path] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    projector: Callable[[], Projector] | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"<Context of {self.space}, {len(self.files)} files>"

    def layer_groups(self) -> Mapping[str, tuple[int, int]]:
        """What groups of layers are about, with the first and last layer of each: `Projector.layer_groups`, or one
        group of all layers where there is no backbone."""
        return self.projector().layer_groups() if self.projector else {"all": (0, self.space.layers - 1)}

    def whole_groups(self) -> Sequence[str]:
        """The groups of layers that are handed down whole where lots are drawn: `HandsDownWhole.whole_groups`."""
        projector = self.projector() if self.projector else None
        return projector.whole_groups() if isinstance(projector, HandsDownWhole) else ()


class Plugin:
    """What these four have in common.

    kind: which of them it is. name, distribution: under which name it was registered, and the distribution (with
        version) that brought it; filled in by kinblend.
    module: the network a device pool leases while the plugin works, or None if it has none. A plugin sends its
        inputs to the module's device and dtype itself, and gives float32 back.
    """

    kind: ClassVar[str] = "plugin"
    name: str = ""
    distribution: str = ""
    module: nn.Module | None = None

    def __init__(self, options: BaseModel, context: Context) -> None:
        self.options: Any = options
        self.context = context

    @property
    def space(self) -> LatentSpace:
        """The latent space this was made for."""
        return self.context.space

    @property
    def title(self) -> str:
        """Who this is, for messages: "blender 'average' of kinblend 0.1.0"; its class, where it is not registered."""
        who = f"'{self.name}' of {self.distribution or '?'}" if self.name else type(self).__qualname__
        return f"{self.kind} {who}"

    def __repr__(self) -> str:
        return f"<{self.title}>"


def network_of(plugin: Plugin) -> nn.Module | None:
    """A plugin's `module`. Raises `PluginError` where that fails, is no network, or has tensors without values."""
    from torch import nn

    with wrap_plugin_errors(plugin.title):
        module = plugin.module
    if module is not None and not isinstance(module, nn.Module):
        raise PluginError(f"{plugin.title} has a {type(module).__name__} as its module, not a torch.nn.Module")
    if module is not None:
        require_values(module, plugin.title)
    return module


def require_values(network: nn.Module, owner: str) -> None:
    """Raise `PluginError` where a parameter, a buffer or a constant of a network is on torch's meta device, which
    keeps no values. owner: whose network it is, for the message."""
    from torch import Tensor

    for path, part in network.named_modules():
        for name, tensor in {**vars(part), **part._parameters, **part._buffers}.items():
            if isinstance(tensor, Tensor) and tensor.is_meta:
                raise PluginError(f"{owner}: its network's {f'{path}.{name}'.lstrip('.')} has no values; {NO_VALUES}")


class Encoder(Plugin, ABC):
    """Aligned faces → latents: derive from it, and implement `encode`.

    Attributes:
        input_size: side of the square crops it takes, in pixels.
        batch_invariant: whether faces that are encoded together get exactly the codes that each gets alone.
        uses_projector: whether `encode_faces` renders pictures; the projector's network is then leased as well.

    Example:
        >>> import torch
        >>> class Zero(Encoder):
        ...     input_size = 256
        ...     def encode(self, images):
        ...         return torch.zeros(len(images), self.space.layers, self.space.dim)
        >>> zero = Zero(None, Context(LatentSpace("toy", 4, 512, "ab" * 32)))
        >>> tuple(zero.encode(torch.zeros(2, 3, 256, 256)).shape)
        (2, 4, 512)
    """

    kind: ClassVar[str] = "encoder"
    input_size: int
    batch_invariant: bool = False
    uses_projector: bool = False

    @property
    def crop_size(self) -> int:
        """Side of the crops that `encode_faces` makes the most of, in pixels: `input_size` unless overridden."""
        return self.input_size

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Codes of aligned faces.

        images: float32 [n, 3, S, S], RGB in [−1, 1], FFHQ-aligned, S = `input_size`.
        Returns float32 [n, L, D] on the CPU, the latent average added where the architecture has one.
        """

    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents of aligned faces, one each; override to add the detail a code can't carry.

        faces: crops of any size; they are resized to `input_size`.
        """
        from kinblend.imaging import to_batch

        codes = self.encode(to_batch([face.image for face in faces], self.input_size))
        return [Latent(code, self.space) for code in codes]


class Blender(Plugin):
    """Two codes → a child's code. Implement `weights`, or override `blend` where no weighted sum will do.

    Attributes:
        stochastic: whether the seed changes the child.

    Example:
        >>> import torch
        >>> class Father(Blender):
        ...     def weights(self, father, mother, seed):
        ...         return torch.ones_like(father)
        >>> blender = Father(None, Context(LatentSpace("toy", 4, 512, "ab" * 32)))
        >>> float(blender.blend(torch.ones(4, 512), torch.zeros(4, 512), seed=0).code.min())
        1.0
    """

    kind: ClassVar[str] = "blender"
    stochastic: ClassVar[bool] = False

    def warnings(self) -> Sequence[str]:
        """What its options ask for that may look wrong: a line each, for the manifest and the terminal. By default
        nothing."""
        return ()

    def names_for(self, option: str) -> Sequence[str]:
        """What an option that is a mapping can name on this backbone, for forms and lists. By default unknown."""
        return ()

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        """The father's share, float32 [L, D] in [0, 1].

        father, mother: float32 [L, D] on the CPU.
        seed: everything random is drawn from it; the same seed gives the same bytes.
        Raises `UnsupportedError` where the class overrides `blend` instead, `PluginError` where it does neither.
        """
        if type(self).blend is Blender.blend:
            raise PluginError(f"{self.title} implements neither weights nor blend; implement one of them")
        raise UnsupportedError(f"{self.title} gives no weight map: it overrides `blend`")

    def blend(self, father: Tensor, mother: Tensor, seed: int) -> Blend:
        """The child: father·w + mother·(1 − w), exactly the father at w = 1 and the mother at w = 0."""
        shares = self.weights(father, mother, seed)
        with wrap_plugin_errors(self.title, LatentError):
            weights = WeightMap(shares, self.space)
        return Blend(weighted_sum(father, mother, shares), weights)


@dataclass(frozen=True)
class AttributeLabel:
    """An attribute in words for people.

    Args:
        name: what it is called.
        low: what negative strengths mean.
        high: what positive ones mean.

    Example:
        >>> AttributeLabel("Age", "younger", "older").high
        'older'
    """

    name: str
    low: str = "less"
    high: str = "more"


class Editor(Plugin, ABC):
    """Moves latents along named attributes: implement `attributes` and `edit`.

    An attribute `age` with a target in "years", and `gender` with the targets "female" and "male", are what a child's
    age and sex are set by. Linear directions are InterFaceGAN's (Shen et al. 2020).

    Example:
        >>> import torch
        >>> class Shift(Editor):
        ...     def attributes(self):
        ...         return {"age": "older"}
        ...     def edit(self, codes, strengths):
        ...         return codes + strengths.get("age", 0.0)
        >>> editor = Shift(None, Context(LatentSpace("toy", 4, 512, "ab" * 32)))
        >>> float(editor.edit(torch.zeros(1, 4, 512), {"age": 2.0}).mean())
        2.0
    """

    kind: ClassVar[str] = "editor"

    @abstractmethod
    def attributes(self) -> Mapping[str, str]:
        """The attributes it can move, each with one line on what "+" means and where it comes from."""

    @abstractmethod
    def edit(self, codes: Tensor, strengths: Mapping[str, float]) -> Tensor:
        """Edited codes.

        codes: float32 [n, L, D]. strengths: attribute → strength, in the unit of the direction
        (one standard deviation of the attribute for calibrated directions).
        Returns float32 [n, L, D]. Raises `UsageError` for an unknown attribute.
        """

    def labels(self) -> Mapping[str, AttributeLabel]:
        """Names of attributes for people, with what both ends of a slider mean. By default the attribute's own name,
        "less" and "more"."""
        return {}

    def targets(self) -> Mapping[str, Sequence[str]]:
        """The attributes that can be set to a target, each with its units and words: {"age": ("years",), "gender":
        ("female", "male")}. By default none."""
        return {}

    def strength_ranges(self) -> Mapping[str, tuple[float, float]]:
        """Between which strengths an attribute was fitted, least and most. kinblend warns of strengths beyond, and
        refuses those beyond twice as much. By default nothing is known."""
        return {}

    def target_ranges(self) -> Mapping[str, tuple[float, float]]:
        """Between which targets that are numbers an attribute was fitted, in its own unit: {"age": (2, 68)}.
        kinblend warns of targets beyond. By default nothing is known."""
        return {}

    def strength_for_target(self, code: Tensor, attribute: str, value: float | str, unit: str) -> float:
        """The strength that brings one attribute of a code, float32 [L, D], to a target of `targets`.

        value, unit: a number in the attribute's own unit (8, "years"), or a word ("female", "").
        Raises `UnsupportedError` for any other target.
        """
        raise UnsupportedError(f"{self.name} can't set {attribute} to {Target(value, unit)}; give a strength")

    def strengths_for_targets(self, code: Tensor, targets: Mapping[str, Target]) -> Mapping[str, float]:
        """The strengths that bring several attributes of a code, float32 [L, D], to their targets together.

        By default each by itself; override where moving one attribute changes another.
        Raises `UnsupportedError` for a target that is not one of `targets`.
        """
        return {name: self.strength_for_target(code, name, goal.value, goal.unit) for name, goal in targets.items()}

    def neutral_strengths(self, code: Tensor) -> Mapping[str, float]:
        """Strengths that give a code, float32 [L, D], a calm expression and a head that faces ahead.

        What a face does at the moment of a photograph is not inherited. By default nothing is known of it: empty.
        """
        return {}


@dataclass(frozen=True)
class ProjectionProgress:
    """One step of `InvertsImages.project`, for progress bars."""

    step: int
    steps: int
    loss: float


class Projector(Plugin, ABC):
    """Generator: latent → image; `project` is GAN inversion. Implement `synthesize`.

    What else a projector can is told by the protocols below, which kinblend looks for: `SamplesLatents`,
    `HasAverage`, `HasStyleWeights`, `InvertsImages`, `TunesWeights`, `KeepsDetail`, `AgesDetail`, `BlendsRegions`,
    `HasPrior`, `RemovesLighting` and `HandsDownWhole`.

    Attributes:
        resolution: side of the square pictures it makes, in pixels.
        noise_kinds: what it takes as `noise`, the default first. `choose_noise` refuses the others.
        together: how many pictures `render` makes at once, so that the memory of a picture bounds that of many.

    Example:
        >>> import torch
        >>> class Grey(Projector):
        ...     resolution = 64
        ...     noise_kinds = ("none",)
        ...     def synthesize(self, codes, *, noise=None, seed=0, size=None):
        ...         self.choose_noise(noise)
        ...         return codes.mean((1, 2))[:, None, None, None].expand(-1, 3, 64, 64)
        >>> space = LatentSpace("toy", 4, 512, "ab" * 32)
        >>> [picture] = Grey(None, Context(space)).render([Latent(torch.zeros(4, 512), space)])
        >>> picture.size, picture.getpixel((0, 0))
        ((64, 64), (128, 128, 128))
    """

    kind: ClassVar[str] = "projector"
    resolution: int
    noise_kinds: ClassVar[tuple[Noise, ...]] = ("const", "none", "random")
    together: ClassVar[int] = 8

    @abstractmethod
    def synthesize(
        self, codes: Tensor, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """Pictures of codes, detail not included. Differentiable with respect to `codes`.

        codes: float32 [n, L, D]. noise: "const" uses the stored maps, "none" leaves noise out, "random" draws it
        from `seed`; None is the first of `noise_kinds`. size: pictures of this side are enough; a projector that can
        makes the next larger ones it has and saves the work for the rest. Returns float32 [n, 3, R, R], RGB about
        [−1, 1], not clamped. Raises `UsageError` for a noise that is not one of `noise_kinds`.
        """

    def choose_noise(self, noise: Noise | None) -> Noise:
        """The kind of noise to use: the one that is asked for, or the first of `noise_kinds` for None.

        Raises `UsageError` for one that is not in `noise_kinds`.
        """
        if noise is None:
            return self.noise_kinds[0]
        if noise not in self.noise_kinds:
            raise UsageError(f"noise={noise!r}: {self.title} takes {', '.join(self.noise_kinds)}")
        return noise

    def preview(self, size: int) -> Callable[[Tensor], Tensor]:
        """A function from codes to pictures that is cheap to optimise through.

        It takes float32 [n, L, D] and gives float32 [n, 3, S, S], S at least `size` where the resolution allows, RGB
        about [−1, 1], differentiable. It may round where the device is faster for it. By default `synthesize`.
        """
        return partial(self.synthesize, noise=self.noise_kinds[0], size=size)

    def render(
        self, latents: Sequence[Latent], *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> list[Image]:
        """Pictures of latents, detail included: RGB, uint8, R × R. Override where there is detail.

        noise, size: as `synthesize` takes them. Makes `together` at a time, and can be cancelled in between.
        """
        import torch

        from kinblend.imaging import to_pictures

        found, kind = [], self.choose_noise(noise)
        with torch.inference_mode():
            for first in range(0, len(latents), self.together):
                check_cancelled()
                codes = torch.stack([latent.code for latent in latents[first : first + self.together]])
                pictures = self.synthesize(codes, noise=kind, seed=seed, size=size)
                found += to_pictures(_checked_pictures(self, pictures, len(codes), size))
        return found

    def layer_groups(self) -> Mapping[str, tuple[int, int]]:
        """What groups of layers are about, in words for people, with the first and last layer of each, in order.

        By default all layers are one group.
        """
        return {"all": (0, self.space.layers - 1)}


def _checked_pictures(projector: Projector, pictures: object, count: int, size: int | None) -> Tensor:
    """What `synthesize` returned, if it is what it has to be. Raises `PluginError` that names what it is."""
    import torch

    side = "S" if size else projector.resolution
    if not isinstance(pictures, torch.Tensor):
        found = f"a {type(pictures).__name__}"
    else:
        shape, dtype = tuple(pictures.shape), str(pictures.dtype).removeprefix("torch.")
        fits = len(shape) == 4 and shape[:2] == (count, 3) and shape[2] == shape[3]
        if fits and pictures.dtype == torch.float32 and (size or shape[2] == side):
            return pictures
        found = f"{dtype} {list(shape)}"
    raise PluginError(f"{projector.title} returned {found} from synthesize, not float32 [{count}, 3, {side}, {side}]")


@runtime_checkable
class HasAverage(Protocol):
    """A projector that knows the code of the mean face."""

    def average(self) -> Tensor:
        """The latent average, float32 [L, D] on the CPU."""


@runtime_checkable
class SamplesLatents(HasAverage, Protocol):
    """A projector that draws codes of its own: it has a mapping network."""

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Codes of random vectors: [n, D] from a normal distribution → float32 [n, L, D], truncated by psi."""


@runtime_checkable
class HasStyleWeights(Protocol):
    """A projector whose generator turns codes into styles by matrices."""

    def style_weights(self) -> Sequence[Tensor]:
        """For each of the L layers the matrix that codes are multiplied by: float32 [channels, D] on the CPU."""


@runtime_checkable
class InvertsImages(Protocol):
    """A projector that can find the latent of an image (GAN inversion)."""

    def project(
        self,
        image: Image,
        *,
        start: Latent | None = None,
        steps: int = 300,
        seed: int = 0,
        progress: Callable[[ProjectionProgress], bool | None] | None = None,
    ) -> Latent:
        """The latent that reconstructs an aligned crop best, found by optimisation.

        start: where to begin, such as the encoder's latent; without it the latent average.
        progress: told each step; by returning False it ends the work with the best latent so far.
        """


@runtime_checkable
class TunesWeights(Protocol):
    """A projector that can fit its generator's weights to one photograph (pivotal tuning)."""

    def tune(
        self,
        image: Image,
        latent: Latent,
        *,
        steps: int = 30,
        progress: Callable[[ProjectionProgress], bool | None] | None = None,
    ) -> Latent:
        """The latent with changes of the weights as detail, so that its picture is nearer to an aligned crop.

        Its code stays: edits and blends work around it as before. progress: as `InvertsImages.project` takes it.
        Pictures of other latents do not change.
        """

    def changeable_weights(self) -> Mapping[str, Tensor]:
        """The weights that a latent's detail may change, as `kinblend.inversion.weight_changes` says, by name, in the
        order in which the generator uses them."""

    def synthesize_latent(
        self, latent: Latent, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """As `Projector.synthesize`, of one latent with its detail: float32 [1, 3, R, R], without gradients."""


@runtime_checkable
class KeepsDetail(Protocol):
    """A projector whose latents have detail beside the code."""

    def blend_detail(
        self, father: Latent, mother: Latent, weights: WeightMap, options: BaseModel
    ) -> Mapping[str, Tensor]:
        """The child's detail, blended by the mean share of the layers concerned.

        options: the projector's, as this child was asked for. Without detail in the parents: empty.
        """

    def edit_detail(self, latent: Latent, code: Tensor) -> Mapping[str, Tensor]:
        """The detail after an edit (wrinkles go where the years do).

        latent: before the edit. code: after it, float32 [L, D].
        """


@runtime_checkable
class AgesDetail(Protocol):
    """A projector whose latents have detail that people of some ages can't have: grown skin, at eight."""

    def detail_at_age(self, latent: Latent, years: float) -> Mapping[str, Tensor]:
        """The detail of a latent whose code an edit has given this age; all of it where there is nothing to leave
        out."""


@runtime_checkable
class BlendsRegions(Protocol):
    """A projector that can draw a part of a picture from another code than the rest of it."""

    def blend_regions(self, child: Latent, people: Sequence[tuple[Latent, Region]]) -> Latent:
        """The child's latent with regions of other people: in its code, or as detail that `render` draws.

        child: with its detail blended. people: one or two, neutral as they were blended, each with where the child is
            to be like them; where two regions overlap their sum may exceed 1. Edits, which come later, must move all
            of the picture alike.
        """


@runtime_checkable
class HasPrior(Protocol):
    """A projector that knows which codes are faces."""

    def project_to_prior(self, codes: Tensor, reference: Tensor) -> Tensor:
        """Codes brought back to where faces are: float32 [n, L, D] → [n, L, D].

        reference: float32 [m, L, D], codes that are known to be faces, such as the parents'; none of them would be
            moved.
        """


@runtime_checkable
class RemovesLighting(Protocol):
    """A projector that knows what of a code is directional lighting, which is not inherited."""

    def remove_lighting(self, codes: Tensor) -> Tensor:
        """Codes of the same faces without light from one side: float32 [n, L, D] → [n, L, D]."""


@runtime_checkable
class HandsDownWhole(Protocol):
    """A projector with groups of layers that come whole from one parent where a strategy draws lots."""

    def whole_groups(self) -> Sequence[str]:
        """Names among those of `layer_groups`: where a complexion is cut into pieces, its colours make patches."""
