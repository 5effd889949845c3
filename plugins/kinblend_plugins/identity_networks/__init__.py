"""Identity networks: faces → embeddings that say who it is."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

Register = Callable[[kinblend.PluginSpec], None]


@kinblend.hookimpl
def kinblend_register_identity_networks(register: Register) -> None:
    for name, summary, target, preferred in (
        ("dlib", "dlib's ResNet, 128 dimensions; always there", "dlib_identity:DlibIdentity", 1),
        ("facenet", "FaceNet on VGGFace2, 512 dimensions; you supply the weights", "facenet:FaceNet", 0),
        ("mobilefacenet", "MobileFaceNet, 256 dimensions; you supply the weights", "mobilefacenet:MobileFaceNet", 0),
        ("faceplugin", "MobileFaceNet, 512 dimensions; you supply the weights", "mobilefacenet:FacePlugin", 0),
    ):
        register(kinblend.PluginSpec(name, summary, f"{__name__}.{target}", preferred=preferred))
