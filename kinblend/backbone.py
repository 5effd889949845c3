"""A backbone: a matching encoder and projector over one model pack."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from kinblend.cancellation import check_cancelled
from kinblend.device import DevicePool
from kinblend.errors import (
    KinblendError,
    LatentError,
    OptionError,
    PackError,
    PluginError,
    UnsupportedError,
    wrap_plugin_errors,
)
from kinblend.files import keep_inputs
from kinblend.interfaces import (
    Blender,
    Context,
    Editor,
    Encoder,
    InvertsImages,
    Noise,
    Plugin,
    ProjectionProgress,
    Projector,
    network_of,
)
from kinblend.plugins import load_plugins
from kinblend.registry import PluginSpec
from kinblend.settings import load_settings
from kinblend.storage.pack_index import find_pack, preferred_pack
from kinblend.storage.packs import DESCRIPTION, Pack, is_encoders
from kinblend.storage.verify_cache import verify_for_use
from kinblend.types import AlignedFace, Latent, LatentSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

LOG = logging.getLogger(__name__)
_CLASSES: dict[str, type[Plugin]] = {kind.kind: kind for kind in (Encoder, Blender, Editor, Projector)}


@dataclass(frozen=True)
class Backbone:
    """One latent space, made usable. Its networks are loaded when they are first needed. `load_backbone` makes one.

    Args:
        pack: the model pack.
        pool: where its networks run.
        encoder_options, projector_options: of its two plugins.
        chosen_encoder: in the place of the pack's own encoder; None for that.

    Example:
        >>> backbone = load_backbone()
        >>> backbone.space == backbone.projector.space
        True
    """

    pack: Pack
    pool: DevicePool
    encoder_options: Mapping[str, Any] = field(default_factory=dict)
    projector_options: Mapping[str, Any] = field(default_factory=dict)
    chosen_encoder: str | None = None

    def __repr__(self) -> str:
        return f"<Backbone of {self.space}>"

    @property
    def name(self) -> str:
        """The pack's name."""
        return self.pack.name

    @property
    def space(self) -> LatentSpace:
        """The latent space all its latents belong to."""
        return self.pack.space

    def lacks(self, spec: PluginSpec) -> str:
        """Why a plugin can't be used here without weights of one's own; empty where it can."""
        return f"{self.name} has no weights for {spec.name} yet" if self.pack.lacks(spec.weights) else ""

    @cached_property
    def context(self) -> Context:
        """What every plugin that works in this latent space is told."""
        return Context(self.space, self.pack.files, self.pack.settings, lambda: self.projector)

    @property
    def encoder_name(self) -> str | None:
        """The encoder in use: the one that was chosen, else the pack's own; None where there is neither."""
        own: str | None = self.pack.description["encoder"]
        return self.chosen_encoder or own

    @property
    def has_encoder(self) -> bool:
        """Whether it takes photographs; a generator that was imported alone does not, unless an encoder is chosen."""
        return self.encoder_name is not None

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder in use. Raises `UnsupportedError`, which says what can be used, where the pack has none (a
        generator imported alone), or the one that was chosen can't be used with it."""
        name, options = self.encoder_name, self.encoder_options
        if name is None:
            raise UnsupportedError(
                f"pack '{self.name}' has no encoder, so it can't take photographs; import a checkpoint with an "
                f"encoder, train one with `kinblend train encoder`, use project, or {self._usable()}"
            )
        if name == self.pack.description["encoder"]:
            return cast(Encoder, make_plugin("encoder", name, self.context, options))
        try:
            return cast(Encoder, make_plugin("encoder", name, self._others_context, options))
        except OptionError:
            raise
        except KinblendError as error:
            raise UnsupportedError(
                f"encoder '{name}' can't be used with pack '{self.name}': {error}; {self._usable()}"
            ) from error

    @property
    def _others_context(self) -> Context:
        """The context of an encoder that is not the pack's own: files named encoder… are that one's."""
        return replace(
            self.context, files={name: path for name, path in self.pack.files.items() if not is_encoders(name)}
        )

    def usable_encoders(self) -> list[str]:
        """The encoders that can be used here, the pack's own first. The others are tried, without options."""
        own, found = self.pack.description["encoder"], []
        for spec in load_plugins()["encoder"]:
            if spec.name == own or self.lacks(spec):
                continue
            with suppress(KinblendError):
                make_plugin("encoder", spec.name, self._others_context)
                found.append(spec.name)
        return [*([own] if own else []), *found]

    def _usable(self) -> str:
        names = ", ".join(self.usable_encoders())
        return f"choose one of these encoders: {names}" if names else "choose another pack"

    @cached_property
    def projector(self) -> Projector:
        """Its projector. Raises `PackError` where it makes pictures of another side than the pack states."""
        name = self.pack.description["projector"]
        made = cast(Projector, make_plugin("projector", name, self.context, self.projector_options))
        if made.resolution != self.pack.resolution:
            raise PackError(
                f"pack '{self.name}' states a resolution of {self.pack.resolution} px, and {made.title} makes "
                f"{made.resolution} px; write its description again, or use another pack"
            )
        return made

    def encode(self, crops: Sequence[Image | NDArray[Any] | AlignedFace]) -> list[Latent]:
        """Latents of aligned faces: code and detail. Crops may be of any size, uint8 arrays or PIL pictures."""
        from kinblend.imaging import to_picture

        faces = [crop if isinstance(crop, AlignedFace) else AlignedFace(to_picture(crop)) for crop in crops]
        encoder = self.encoder
        drawing = network_of(self.projector) if encoder.uses_projector else None
        with (
            self.pool.lease(network_of(encoder), "encoder"),
            self.pool.lease(drawing, "projector"),
            wrap_plugin_errors(encoder.title, LatentError),
        ):
            copies = [replace(face, image=face.image.copy()) for face in faces]
            return [latent.copy() for latent in self.pool.batched(encoder.encode_faces, copies)]

    def render(
        self, latents: Sequence[Latent], *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> list[Image]:
        """Pictures of latents, detail included. noise, size: as `Projector.synthesize` takes them.

        Raises `LatentSpaceError` for a latent of another space, and `UsageError` for a noise that the projector does
        not take.
        """
        from PIL import Image as pil

        if isinstance(latents, Latent) or not all(isinstance(latent, Latent) for latent in latents):
            raise LatentError("give a list of latents; `Engine.render` takes parents and children, too")
        for latent in latents:
            self.space.require(latent.space)
        projector = self.projector
        noise = projector.choose_noise(noise)
        with self.pool.lease(network_of(projector), "projector"), wrap_plugin_errors(projector.title, LatentError):
            render = partial(projector.render, noise=noise, seed=seed, size=size)
            pictures = self.pool.batched(render, [latent.copy() for latent in latents])
        if len(pictures) != len(latents) or not all(isinstance(picture, pil.Image) for picture in pictures):
            kinds = ", ".join(sorted({type(picture).__name__ for picture in pictures}))
            raise PluginError(
                f"{projector.title} returned {len(pictures)} of {kinds or 'nothing'} from render, not one PIL "
                f"picture for each of {len(latents)} latents"
            )
        return pictures

    def project(
        self,
        crop: Image | NDArray[Any],
        *,
        start: Latent | None = None,
        steps: int = 300,
        seed: int = 0,
        progress: Callable[[ProjectionProgress], bool | None] | None = None,
    ) -> Latent:
        """The latent that reconstructs an aligned crop best; see `InvertsImages.project`.

        Raises `UnsupportedError` where the projector can't.
        """
        from kinblend.imaging import to_picture

        if start is not None:
            self.space.require(start.space, "start")

        def tell(now: ProjectionProgress) -> bool | None:
            check_cancelled()
            return None if progress is None else progress(now)

        picture, projector, start = to_picture(crop), self.projector, start and start.copy()
        if not isinstance(projector, InvertsImages):
            raise UnsupportedError(f"the projector of {self.name} can't project an image; use encode")
        with self.pool.lease(network_of(projector), "projector"), wrap_plugin_errors(projector.title, LatentError):
            return projector.project(picture, start=start, steps=steps, seed=seed, progress=tell)


def choose_backbone(name: str | Path | None = None) -> str | Path:
    """The backbone to use: the one named; else that of the settings; else the installed pack that plugins prefer.

    Raises `PackNotFoundError` where there is none, and `PackError`.
    """
    settings = load_settings()
    return name or settings.backbone or preferred_pack(settings.packs, load_plugins().packs)


def load_backbone(
    name: str | Path | None = None,
    pool: DevicePool | None = None,
    *,
    encoder: str | None = None,
    encoder_options: Mapping[str, Any] | None = None,
    projector_options: Mapping[str, Any] | None = None,
) -> Backbone:
    """A backbone by its pack's name, or by the path of a pack's folder.

    Args:
        name: None takes the default (`choose_backbone`).
        pool: where its networks run; default: a pool of its own as the settings say.
        encoder: in the place of the encoder that the pack names.
        encoder_options, projector_options: of the encoder, and of the projector that the pack names.

    Returns: the backbone; nothing is loaded onto a device yet.

    Raises:
        PackNotFoundError: where there is no such pack.
        PackError: where a file was altered.
        UnknownPluginError: where there is no such encoder.
        OptionError: where an option is unknown or out of range.

    Example:
        >>> import torch
        >>> from kinblend import Latent
        >>> backbone = load_backbone()
        >>> code = torch.zeros(backbone.space.layers, backbone.space.dim)
        >>> [picture] = backbone.render([Latent(code, backbone.space)], size=64)
        >>> picture.mode
        'RGB'
    """
    settings = load_settings()
    pack = find_pack(choose_backbone(name), settings.packs, load_plugins().packs)
    verify_for_use(pack, settings.home / "verified.json")
    keep_inputs([pack.folder / DESCRIPTION, *pack.files.values()])
    options = {"encoder": dict(encoder_options or {}), "projector": dict(projector_options or {})}
    if encoder is not None:
        load_plugins()["encoder"].get(encoder)
    for kind, values in options.items():
        _check_plugin(pack, kind, encoder if kind == "encoder" else None, values)
    if pool is None:
        pool = DevicePool(settings.device, settings.memory_budget, settings.precision)
    LOG.info("backbone %s: %s", pack.name, pack.folder)
    return Backbone(pack, pool, options["encoder"], options["projector"], encoder)


def make_plugin(kind: str, name: str, context: Context, options: Mapping[str, Any] | None = None) -> Plugin:
    """An instance of a registered plugin.

    Raises `UnknownPluginError`, `OptionError` and `PluginError`.
    """
    import torch

    plugins = load_plugins()
    spec = plugins[kind].get(name)
    distribution = plugins.distribution_of(spec)
    parsed, who = spec.parse_options(options or {}), f"{kind} '{name}' of {distribution or '?'}"
    # Weights made inside a caller's inference mode could never be differentiated through.
    with torch.inference_mode(False), wrap_plugin_errors(who):
        plugin = spec.load()(parsed, context)
    if not isinstance(plugin, _CLASSES[kind]):
        raise PluginError(f"{who} is a {type(plugin).__name__}, not a kinblend.{_CLASSES[kind].__name__}")
    with wrap_plugin_errors(who):
        plugin.name, plugin.distribution = spec.name, distribution
        _check_properties(plugin)
    return plugin


def _check_properties(plugin: Plugin) -> None:
    """Look at what will be relied on later. Raises `PluginError`, or what a property raises."""
    kinds: dict[str, type] = {"space": LatentSpace}
    if isinstance(plugin, Encoder):
        kinds |= {"input_size": int, "batch_invariant": bool, "uses_projector": bool}
    if isinstance(plugin, Projector):
        kinds |= {"resolution": int}
        known = get_args(Noise)
        if not isinstance(plugin.noise_kinds, tuple) or not plugin.noise_kinds or {*plugin.noise_kinds} - {*known}:
            raise PluginError(
                f"{plugin.title} has noise_kinds {plugin.noise_kinds!r}; give a tuple of {', '.join(known)}"
            )
    for name, kind in kinds.items():
        found = getattr(plugin, name)
        if not isinstance(found, kind):
            raise PluginError(f"{plugin.title} has a {type(found).__name__} as its {name}, not a {kind.__name__}")
    network_of(plugin)


def _check_plugin(pack: Pack, kind: str, chosen: str | None, options: Mapping[str, Any]) -> None:
    """Is the plugin there that was chosen, or that the pack names, and does it take the options?"""
    registry = load_plugins()[kind]
    name = chosen or pack.description[kind]
    if name is None:
        return
    if name not in registry:
        raise PackError(f"pack '{pack.name}' needs the {kind} '{name}', which no plugin brings; install its plugin")
    if options:
        registry.get(name).parse_options(options)
