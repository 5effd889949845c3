"""A backbone: a matching encoder and projector over one model pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kinblend.device import DevicePool
from kinblend.errors import UnsupportedError
from kinblend.interfaces import Context, Encoder, Noise, Plugin, Projector
from kinblend.plugins import load_plugins
from kinblend.settings import load_settings
from kinblend.storage.library import find_pack
from kinblend.storage.packs import Pack
from kinblend.types import AlignedFace, Latent, LatentSpace

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Backbone:
    """One latent space, made usable. Its networks are loaded when they are first needed.

    pack: the model pack. pool: where its networks run.
    """

    pack: Pack
    pool: DevicePool

    @property
    def name(self) -> str:
        """The pack's name."""
        return self.pack.name

    @property
    def space(self) -> LatentSpace:
        """The latent space all its latents belong to."""
        return self.pack.space

    @cached_property
    def context(self) -> Context:
        """What every plugin that works in this latent space is told."""
        return Context(self.space, self.pack.files, self.pack.settings)

    @cached_property
    def encoder(self) -> Encoder:
        """Its encoder. Raises `UnsupportedError` where the pack has none: a generator imported alone."""
        name = self.pack.description["encoder"]
        if name is None:
            raise UnsupportedError(
                f"pack '{self.name}' has no encoder, so it can't take photographs; import an e4e checkpoint, or "
                "use project"
            )
        return cast(Encoder, make_plugin("encoder", str(name), self.context))

    @cached_property
    def projector(self) -> Projector:
        """Its projector."""
        return cast(Projector, make_plugin("projector", str(self.pack.description["projector"]), self.context))

    def encode(self, crops: Sequence[Image | AlignedFace]) -> list[Latent]:
        """Latents of aligned faces: code and detail. Crops may be of any size."""
        faces = [crop if isinstance(crop, AlignedFace) else AlignedFace(crop) for crop in crops]
        with self.pool.lease(self.encoder.module, "encoder"):
            return self.encoder.encode_faces(faces)

    def render(self, latents: Sequence[Latent], *, noise: Noise = "const", seed: int = 0) -> list[Image]:
        """Pictures of latents, detail included. Raises `LatentSpaceError` for a stranger's latent."""
        for latent in latents:
            self.space.require(latent.space)
        with self.pool.lease(self.projector.module, "projector"):
            return self.projector.render(latents, noise=noise, seed=seed)


def load_backbone(name: str | Path, pool: DevicePool | None = None) -> Backbone:
    """A backbone by its pack's name, or by the path of a pack's folder.

    pool: where its networks run; default: a pool of its own on the device of the settings.
    Raises `PackNotFoundError` and `PackError`.
    """
    settings = load_settings()
    pack = find_pack(name, settings.packs, load_plugins().packs)
    return Backbone(pack, pool or DevicePool(settings.device, settings.memory_budget))


def make_plugin(kind: str, name: str, context: Context, options: dict[str, Any] | None = None) -> Plugin:
    """An instance of a registered plugin.

    Raises `UnknownPluginError`, `OptionError` and `PluginError`.
    """
    import torch

    plugins = load_plugins()
    spec = plugins[kind].get(name)
    # Weights made inside a caller's inference mode could never be differentiated through.
    with torch.inference_mode(False):
        plugin = cast(Plugin, spec.load()(spec.parse_options(options or {}), context))
    plugin.name, plugin.distribution = spec.name, plugins.distribution_of(spec)
    return plugin
