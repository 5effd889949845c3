"""Photographs as people take them: is a child made, or a reason given? And is it still the same person's code?

    python benchmarks/robustness.py

On nine synthetic people of the package `openpeople`: sampler portrait and selfie, as they are and tilted, half lit,
small and heavily compressed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from kinblend import Engine, Latent
from kinblend.cli.demo import example
from kinblend.errors import InputError
from kinblend.faces import faces_in
from kinblend.identity import embed_faces
from kinblend.imaging import decode_image, read_image

PEOPLE = [f"P{number:03d}" for number in range(1, 11) if number != 3]
PICTURES = ("studio_portrait.jpg", "amateur_selfie.jpg")


def tilted(degrees: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="grey")


def half_lit(picture: Image.Image) -> Image.Image:
    light = np.linspace(0.15, 1, picture.width)[None, :, None]
    return Image.fromarray((np.asarray(picture) * light).astype(np.uint8))


def small(picture: Image.Image) -> Image.Image:
    return picture.resize((200, round(200 * picture.height / picture.width)))


def compressed(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    return decode_image(file.getvalue())


KINDS = {
    "as it is": lambda picture: picture,
    "tilted +30": tilted(30),
    "tilted -30": tilted(-30),
    "half lit": half_lit,
    "200 px": small,
    "quality 30": compressed,
}


def main() -> None:
    engine, report = Engine(), {}
    for kind, change in KINDS.items():
        made, refused, broken = 0, [], 0
        for picture in PICTURES:
            for person, partner in zip(PEOPLE, PEOPLE[1:] + PEOPLE[:1], strict=True):
                pair = [change(read_image(example(who).with_name(picture))) for who in (person, partner)]
                try:
                    result = engine.run(*pair)
                except InputError as error:
                    refused.append(type(error).__name__)
                    continue
                made += 1
                broken += len(faces_in(result.children[0].image)) != 1
        report[kind] = {"children": made, "of them not one face": broken, "refused": refused}
    report["selfie nearest to one's own portrait"] = own_portrait(engine)
    print(json.dumps(report, indent=1))


def own_portrait(engine: Engine) -> dict[str, float]:
    """How often codes of selfie and portrait are nearer to each other than to anyone else's: by their angle, by the
    embeddings of their pictures (the codes alone), and by these once expression, pose and light are neutral."""
    editor, codes, seen, calmed = engine.editor(), [], [], []
    for name in PICTURES:
        latents = [engine.parent(example(person).with_name(name)).latent for person in PEOPLE]
        codes.append(torch.nn.functional.normalize(torch.stack([x.code.flatten() for x in latents]), dim=1))
        seen.append(embed_faces(engine.backbone.render([Latent(x.code, x.space) for x in latents])))
        neutral = [Latent(engine.neutral(x, editor).code, x.space) for x in latents]
        calmed.append(embed_faces(engine.backbone.render(neutral)))
    return {
        what: nearest(*found)
        for what, found in (("codes", codes), ("rendered codes", seen), ("rendered codes, neutral", calmed))
    }


def nearest(ones: torch.Tensor, others: torch.Tensor) -> float:
    """Both ways."""
    distances, own = torch.cdist(ones, others), torch.arange(len(ones))
    return float((torch.cat([distances.argmin(1), distances.argmin(0)]) == own.repeat(2)).float().mean())


if __name__ == "__main__":
    main()
