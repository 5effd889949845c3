"""A backbone whose codes are the 16 × 16 pixels of a face, a layer for each colour."""

from pathlib import Path

import kinblend
from kinblend.packs import PackSource


@kinblend.hookimpl
def kinblend_register_encoders(register):
    register(kinblend.PluginSpec("thumbnails", "the mean colours of a face", f"{__name__}.plugins:ThumbnailEncoder"))


@kinblend.hookimpl
def kinblend_register_projectors(register):
    register(
        kinblend.PluginSpec(
            "thumbnails", "a face of 16 × 16 pixels, enlarged", f"{__name__}.plugins:ThumbnailProjector"
        )
    )


@kinblend.hookimpl
def kinblend_register_packs(register):
    folder = Path(__file__).parent / "pack"
    register(PackSource("thumbnails", "faces of 16 × 16 pixels", folder=folder, licence="MIT"))
