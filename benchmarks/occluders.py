"""Things painted over faces: what `benchmarks/covered.py` trains and measures on.

Each kind is a function: (picture, landmarks [68, 2], a generator) → (the picture covered, a mask, 255 where it is
covered). `TRAINED` is what the weights have seen; `HELD_OUT` is for measuring alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array = NDArray[np.float64]
Random = np.random.Generator
Occluder = Callable[[Image.Image, Array, Random], tuple[Image.Image, Image.Image]]
Shape = Callable[[ImageDraw.ImageDraw, Array, Random], None]


def eyes_apart(points: Array) -> float:
    return float(np.hypot(*(points[36:42].mean(0) - points[42:48].mean(0))))


def skin(picture: Image.Image, points: Array) -> Array:
    """The colour of the cheeks, RGB."""
    pixels = np.asarray(picture, dtype=np.float64)
    places = [(points[31] + points[2]) / 2, (points[35] + points[14]) / 2]
    found = []
    for x, y in places:
        x, y = (int(np.clip(v, 3, limit - 4)) for v, limit in ((x, picture.width), (y, picture.height)))
        found.append(pixels[y - 3 : y + 4, x - 3 : x + 4].mean((0, 1)))
    return np.mean(found, axis=0)


def noise(size: tuple[int, int], random: Random, grain: int) -> Array:
    """Smooth noise about zero, [H, W]."""
    small = random.normal(size=(max(2, size[1] // grain), max(2, size[0] // grain))).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), dtype=np.float64)


def cloth(picture: Image.Image, points: Array, random: Random) -> Array:
    """A texture as large as the picture, [H, W, 3]: plain, shaded, striped, checked or speckled; of any colour, or
    of skin."""
    size = picture.size
    if random.random() < 0.3:
        colour = skin(picture, points) * random.uniform(0.75, 1.25) + random.normal(0, 8, 3)
    elif random.random() < 0.35:
        colour = np.full(3, random.uniform(5, 250)) + random.normal(0, 6, 3)
    else:
        colour = random.uniform(10, 250, 3)
    y, x = np.mgrid[: size[1], : size[0]] / size[0]
    value = np.ones((size[1], size[0]))
    angle, period = random.uniform(0, np.pi), random.uniform(0.015, 0.12)
    along = np.cos(angle) * x + np.sin(angle) * y
    kind = random.integers(6)
    if kind == 1:
        value += random.uniform(0.03, 0.4) * np.sign(np.sin(along / period * 2 * np.pi))
    if kind == 2:
        across = np.cos(angle) * y - np.sin(angle) * x
        pattern = np.sign(np.sin(along / period * 2 * np.pi)) * np.sign(np.sin(across / period * 2 * np.pi))
        value += random.uniform(0.05, 0.4) * pattern
    if kind >= 3:
        value += random.uniform(0.02, 0.2) * noise(size, random, int(random.integers(1, 24)))
    value += random.uniform(-0.6, 0.6) * (along - along.mean())
    texture = colour[None, None] * value[..., None]
    return np.clip(texture + random.normal(0, random.uniform(0, 5), texture.shape), 0, 255)


def borrowed(picture: Image.Image, random: Random) -> Array:
    """A texture made of a part of the picture itself, enlarged and turned: hair, clothes, skin, background."""
    side = int(picture.width * random.uniform(0.12, 0.35))
    left, top = (int(random.integers(0, picture.width - side)) for _ in range(2))
    part = picture.crop((left, top, left + side, top + side)).rotate(90 * int(random.integers(4)))
    if random.random() < 0.5:
        wide = Image.new("RGB", (2 * side, 2 * side))
        for at, turned in enumerate((part, part.transpose(Image.Transpose.FLIP_LEFT_RIGHT))):
            wide.paste(turned, (at * side, 0))
            wide.paste(turned.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (at * side, side))
        part = wide
    return np.asarray(part.resize(picture.size, Image.Resampling.BICUBIC), dtype=np.float64)


def hair_texture(picture: Image.Image, random: Random) -> Array:
    """Strands in the colour of the picture's top, or any other hair's."""
    size = picture.size
    pixels = np.asarray(picture, dtype=np.float64)
    row, column = int(size[1] * random.uniform(0.04, 0.2)), int(size[0] * random.uniform(0.25, 0.75))
    colour = pixels[max(0, row - 4) : row + 5, column - 4 : column + 5].mean((0, 1))
    if random.random() < 0.4:
        colour = np.array([[25, 20, 18], [70, 45, 30], [150, 110, 70], [190, 165, 120], [120, 120, 120]])[
            int(random.integers(5))
        ]
    fine = noise((size[0] * 2, 8), random, 2)
    strands = np.asarray(
        Image.fromarray(fine.astype(np.float32)).resize((size[0], size[1]), Image.Resampling.BICUBIC),
        dtype=np.float64,
    )
    wave = np.roll(strands, int(random.integers(-20, 20)), axis=1)
    return np.clip(colour[None, None] * (1 + random.uniform(0.1, 0.4) * wave[..., None]), 0, 255)


def put(picture: Image.Image, texture: Array, mask: Image.Image, random: Random) -> tuple[Image.Image, Image.Image]:
    """The texture where the mask is, sometimes with a soft edge and a shadow around it."""
    soft = mask.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.8) * picture.width / 256))
    pixels = np.asarray(picture, dtype=np.float64)
    if random.random() < 0.5:
        reach = random.uniform(2, 9) * picture.width / 256
        shadow = np.asarray(mask.filter(ImageFilter.GaussianBlur(reach)), dtype=np.float64)[..., None] / 255
        pixels = pixels * (1 - random.uniform(0.1, 0.5) * shadow)
    share = np.asarray(soft, dtype=np.float64)[..., None] / 255
    whole = pixels * (1 - share) + texture * share
    return Image.fromarray(np.clip(whole, 0, 255).astype(np.uint8)), mask


def drawn(picture: Image.Image) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", picture.size)
    return mask, ImageDraw.Draw(mask)


def polygon(draw: ImageDraw.ImageDraw, points: Sequence[Sequence[float]] | Array) -> None:
    draw.polygon([(float(x), float(y)) for x, y in points], fill=255)


def bar(draw: ImageDraw.ImageDraw, start: Array, end: Array, width: float) -> None:
    """A line with round ends."""
    draw.line(
        [(float(start[0]), float(start[1])), (float(end[0]), float(end[1]))], fill=255, width=max(1, int(width))
    )
    for x, y in (start, end):
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)


def mask(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """Over nose, mouth and chin; sometimes worn under the nose."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    low = random.random() < 0.25
    top = points[33] + [0, 0.08 * eyes] if low else points[int(random.choice([28, 29, 30]))]
    sides = int(random.integers(1, 5))
    edge = points[sides : 17 - sides].copy()
    edge[:, 1] += random.uniform(0, 0.15) * eyes * np.sin(np.linspace(0, np.pi, len(edge)))
    if low:
        edge[0, 1] = edge[-1, 1] = max(edge[0, 1], float(top[1]))
    middle = top[None] + [[random.uniform(-0.08, 0.08) * eyes, 0]]
    flat = [] if random.random() < 0.5 else [points[35] + [0.3 * eyes, -0.1 * eyes]]
    also = [points[31] + [-0.3 * eyes, -0.1 * eyes]] if flat else []
    polygon(draw, np.array([*edge, *flat, *middle, *also]))
    texture = cloth(picture, points, random)
    if random.random() < 0.5:
        y = np.mgrid[: picture.height, : picture.width][0]
        texture = texture * (1 - 0.12 * (np.sin(y / (eyes * random.uniform(0.06, 0.2))) > 0.7)[..., None])
    return put(picture, texture, shape, random)


def fingers(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """Bars beside each other, sometimes with a palm: over the mouth, or anywhere in the face."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    spot = (
        points[int(random.choice([8, 30, 48, 51, 54, 57, 57, 62, 66]))]
        if random.random() < 0.6
        else points[int(random.integers(68))]
    )
    angle = random.uniform(0, 2 * np.pi)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    count, width = int(random.integers(2, 6)), random.uniform(0.18, 0.34) * eyes
    length, spread = random.uniform(0.8, 2.2) * eyes, random.uniform(-0.1, 0.1)
    for finger in range(count):
        off = (finger - (count - 1) / 2) * width * random.uniform(0.95, 1.15)
        tip = spot + across * off + along * random.uniform(-0.25, 0.25) * eyes
        way = along + across * spread * (finger - count / 2)
        bar(draw, tip, tip + way * length, width * random.uniform(0.85, 1))
    if random.random() < 0.5:
        palm = spot + along * length
        reach = count * width * 0.6
        draw.ellipse((palm[0] - reach, palm[1] - reach, palm[0] + reach, palm[1] + reach), fill=255)
    if random.random() < 0.75:
        colour = skin(picture, points) * random.uniform(0.7, 1.3) + random.normal(0, 8, 3)
        value = 1 + 0.08 * noise(picture.size, random, int(random.integers(4, 30)))
        # rounded: darker towards the edges of each finger
        inside = np.asarray(shape.filter(ImageFilter.GaussianBlur(width / 4)), dtype=np.float64) / 255
        value = value * (0.65 + 0.4 * inside) if random.random() < 0.7 else value
        texture = np.clip(colour[None, None] * value[..., None], 0, 255)
    else:
        texture = cloth(picture, points, random)
    covered, _ = put(picture, texture, shape, random)
    if random.random() < 0.6:  # dark lines between the fingers
        seams = Image.new("L", picture.size)
        seam = ImageDraw.Draw(seams)
        for finger in range(count - 1):
            off = (finger + 0.5 - (count - 1) / 2) * width
            start = spot + across * off
            stop = start + along * length
            seam.line([tuple(start), tuple(stop)], fill=int(random.uniform(60, 180)), width=max(1, int(eyes * 0.03)))
        seams = seams.filter(ImageFilter.GaussianBlur(0.8))
        covered = Image.composite(
            Image.new("RGB", picture.size, tuple((skin(picture, points) * 0.4).astype(int))), covered, seams
        )
    return covered, shape


def blob(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """A round thing of any kind, somewhere."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    centre = points[int(random.integers(68))] + random.normal(0, 0.2, 2) * eyes
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = (
        random.uniform(0.35, 1.1) * eyes * (1 + random.uniform(0, 0.3) * np.sin(turns * int(random.integers(1, 5))))
    )
    stretch = random.uniform(0.6, 1.6)
    polygon(draw, centre + np.stack([np.cos(turns) * radius * stretch, np.sin(turns) * radius], 1))
    texture = borrowed(picture, random) if random.random() < 0.5 else cloth(picture, points, random)
    return put(picture, texture, shape, random)


def block(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """A thing with corners: a telephone, a book, half of the face behind a door."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    centre = points[int(random.integers(68))]
    angle = random.normal(0, 0.4)
    x, y = random.uniform(0.5, 1.8) * eyes, random.uniform(0.3, 1.8) * eyes
    if random.random() < 0.3:
        x = y = 3 * eyes  # everything on one side
        way = random.uniform(0, 2 * np.pi)
        centre = points[30] + np.array([np.cos(way), np.sin(way)]) * (x + random.uniform(0.0, 0.5) * eyes)
        angle = way
    corners = np.array([[-x, -y], [x, -y], [x, y], [-x, y]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    polygon(draw, centre + corners @ turn.T)
    texture = borrowed(picture, random) if random.random() < 0.4 else cloth(picture, points, random)
    return put(picture, texture, shape, random)


def sunglasses(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """Two dark lenses and a bridge."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    width, height = random.uniform(0.32, 0.46), random.uniform(0.22, 0.4)
    line = points[42:48].mean(0) - points[36:42].mean(0)
    across = line / np.hypot(*line)
    down = np.array([-across[1], across[0]])
    turns = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    power = random.uniform(0.45, 1)  # from boxes to ellipses
    x = np.sign(np.cos(turns)) * np.abs(np.cos(turns)) ** power
    y = np.sign(np.sin(turns)) * np.abs(np.sin(turns)) ** power
    for side in (0, 1):
        middle = (points[36:42] if side == 0 else points[42:48]).mean(0) + down * random.uniform(0, 0.08) * eyes
        polygon(draw, middle + (x * width)[:, None] * across * eyes + (y * height)[:, None] * down * eyes)
    lenses = shape.copy()
    middle = points[27] - down * random.uniform(0, 0.1) * eyes
    bar(draw, middle - across * 0.2 * eyes, middle + across * 0.2 * eyes, random.uniform(0.03, 0.1) * eyes)
    colour = random.uniform(0, 60, 3) if random.random() < 0.5 else np.full(3, random.uniform(0, 70))
    pixels = np.asarray(picture, dtype=np.float64)
    light = 1 + random.uniform(0, 1.2) * (np.mgrid[: picture.height, : picture.width][0] / picture.height)
    glass = colour[None, None] * light[..., None] + random.uniform(0, 0.22) * pixels
    if random.random() < 0.4:  # a reflection
        glass = glass + random.uniform(0.1, 0.45) * borrowed(picture, random)
    return put(picture, np.clip(glass, 0, 255), shape, random)[0], lenses


def hair(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """A fringe down to below the eyes, or locks over one of them."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    top = points[17:27, 1].min() - 1.2 * eyes
    left, right = points[0, 0] - 0.2 * eyes, points[16, 0] + 0.2 * eyes
    if random.random() < 0.5:
        middle = (left + right) / 2 + random.normal(0, 0.3) * eyes
        left, right = (left, middle) if random.random() < 0.5 else (middle, right)
    end = points[36:48, 1].mean() + random.uniform(0.1, 0.9) * eyes
    dense = random.uniform(0.7, 1.4)
    width = random.uniform(0.05, 0.16) * eyes
    for _ in range(int(dense * (right - left) / width) + 2):
        x = random.uniform(left, right)
        lean = random.normal(0, 0.25) * eyes
        stop = end + random.normal(0, 0.12) * eyes
        steps = [(x + lean * t**2, top + (stop - top) * t) for t in np.linspace(0, 1, 6)]
        draw.line(steps, fill=255, width=max(2, int(width)))
    texture = hair_texture(picture, random)
    return put(picture, texture, shape, random)


def mosaic(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """Made unrecognizable: a black bar, or large pixels, over the eyes or the mouth."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    where = points[36:48] if random.random() < 0.6 else points[48:68]
    low, high = where.min(0), where.max(0)
    x, y = random.uniform(0.1, 0.5) * eyes, random.uniform(0.1, 0.3) * eyes
    draw.rectangle((low[0] - x, low[1] - y, high[0] + x, high[1] + y), fill=255)
    if random.random() < 0.5:
        texture = np.broadcast_to(random.uniform(0, 255, 3) * (random.random() < 0.4), (*picture.size[::-1], 3))
    else:
        few = int(random.integers(8, 20))
        small = picture.resize((few, few), Image.Resampling.BOX).resize(picture.size, Image.Resampling.NEAREST)
        texture = np.asarray(small, dtype=np.float64)
    return put(picture, np.asarray(texture), shape, random)


TRAINED: dict[str, Occluder] = {
    "mask": mask,
    "fingers": fingers,
    "blob": blob,
    "block": block,
    "sunglasses": sunglasses,
    "hair": hair,
    "mosaic": mosaic,
}


def cup(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """A cup before the mouth."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    x, y = points[62]
    w, h = random.uniform(0.45, 0.7) * eyes, random.uniform(0.7, 1.2) * eyes
    polygon(draw, [(x - w, y), (x + w, y), (x + 0.8 * w, y + h), (x - 0.8 * w, y + h)])
    draw.ellipse((x - w, y - 0.2 * eyes, x + w, y + 0.2 * eyes), fill=255)
    colour = random.uniform(30, 250, 3)
    light = 1.2 - 0.5 * np.abs((np.mgrid[: picture.height, : picture.width][1] - x) / w)
    return put(picture, np.clip(colour * light[..., None], 0, 255), shape, random)


def scarf(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """A knitted scarf from the neck up over mouth and nose tip."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    up = points[30] if random.random() < 0.5 else points[51]
    top = np.array([points[1] + [-0.4 * eyes, 0.3 * eyes], up, points[15] + [0.4 * eyes, 0.3 * eyes]])
    bottom = [[picture.width, picture.height], [0, picture.height]]
    polygon(draw, [*top, *bottom])
    y, x = np.mgrid[: picture.height, : picture.width]
    knit = 1 + 0.25 * np.sin(x / eyes * 25 + 3 * np.sin(y / eyes * 18)) * np.sin(y / eyes * 30)
    return put(picture, np.clip(random.uniform(30, 220, 3) * knit[..., None], 0, 255), shape, random)


def goggles(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """One mirrored glass over both eyes."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    x, y = points[36:48].mean(0)
    draw.rounded_rectangle(
        (x - 1.1 * eyes, y - 0.45 * eyes, x + 1.1 * eyes, y + 0.45 * eyes), radius=0.35 * eyes, fill=255
    )
    down = np.mgrid[: picture.height, : picture.width][0][..., None]
    colours = np.array([[240, 120, 20], [30, 80, 200]]) if random.random() < 0.5 else random.uniform(0, 255, (2, 3))
    share = np.clip((down - y) / (0.9 * eyes) + 0.5, 0, 1)
    return put(picture, colours[0] * (1 - share) + colours[1] * share, shape, random)


def palm(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """A hand flat over the mouth, its fingers to one side, in the face's own skin with its own texture."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    way = -1 if random.random() < 0.5 else 1
    x, y = points[62] + [0, random.uniform(-0.1, 0.2) * eyes]
    draw.ellipse((x - 0.75 * eyes, y - 0.4 * eyes, x + 0.75 * eyes, y + 0.55 * eyes), fill=255)
    for finger in range(4):
        off = y + (finger - 1.5) * 0.23 * eyes
        bar(draw, np.array([x, off]), np.array([x + way * 1.2 * eyes, off - 0.25 * eyes]), 0.22 * eyes)
    cheek = picture.crop(
        (int(points[31, 0] - 0.5 * eyes), int(points[29, 1]), int(points[31, 0]), int(points[33, 1] + 1))
    ).resize(picture.size, Image.Resampling.BICUBIC)
    inside = np.asarray(shape.filter(ImageFilter.GaussianBlur(0.1 * eyes)), dtype=np.float64)[..., None] / 255
    texture = np.asarray(cheek, dtype=np.float64) * random.uniform(0.85, 1.15) * (0.7 + 0.35 * inside)
    return put(picture, np.clip(texture, 0, 255), shape, random)


def lock(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """One broad curved lock over an eye."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    eye = (points[36:42] if random.random() < 0.5 else points[42:48]).mean(0)
    inner = points[27, 0]
    start = np.array([inner, points[17:27, 1].min() - eyes])
    side = np.sign(eye[0] - inner)
    stop = eye + np.array([side * 0.7 * eyes, 0.9 * eyes])
    for shift in np.linspace(-0.35, 0.35, 24):
        bend = [np.array([(shift + 0.5 * side * t * (1 - t)) * eyes, 0]) for t in np.linspace(0, 1, 8)]
        way = [start + (stop - start) * t + away for t, away in zip(np.linspace(0, 1, 8), bend, strict=True)]
        draw.line([tuple(map(float, p)) for p in way], fill=255, width=max(2, int(0.05 * eyes)))
    return put(picture, hair_texture(picture, random), shape, random)


HELD_OUT: dict[str, Occluder] = {"cup": cup, "scarf": scarf, "goggles": goggles, "palm": palm, "lock": lock}


def clear_glasses(picture: Image.Image, points: Array, random: Random) -> Image.Image:
    """Spectacles, which hide nothing."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    width = max(1, int(random.uniform(0.015, 0.07) * eyes))
    w, h = random.uniform(0.32, 0.45) * eyes, random.uniform(0.22, 0.36) * eyes
    for eye in (points[36:42].mean(0), points[42:48].mean(0)):
        box = (eye[0] - w, eye[1] - h, eye[0] + w, eye[1] + h)
        draw.rounded_rectangle(box, radius=random.uniform(0.3, 1) * h, outline=255, width=width)
    draw.line([tuple(points[27] - [0.12 * eyes, 0]), tuple(points[27] + [0.12 * eyes, 0])], fill=255, width=width)
    colour = np.full(3, random.uniform(0, 90)) if random.random() < 0.7 else random.uniform(0, 200, 3)
    return put(picture, np.broadcast_to(colour, (*picture.size[::-1], 3)), shape, random)[0]


def closed_eyes(
    picture: Image.Image, points: Array, random: Random, both: bool = True
) -> tuple[Image.Image, Image.Image]:
    """Lids over the eyes: skin of the lid above, and a line of lashes."""
    eyes = eyes_apart(points)
    pixels = np.asarray(picture, dtype=np.float64)
    shape, draw = drawn(picture)
    lashes = Image.new("L", picture.size)
    lash = ImageDraw.Draw(lashes)
    sides = (0, 1) if both else (int(random.integers(2)),)
    texture = pixels.copy()
    for side in sides:
        eye = points[36:42] if side == 0 else points[42:48]
        centre = eye.mean(0)
        grown = centre + (eye - centre) * [1.15, 1.7]
        polygon(draw, grown)
        low = np.array([eye[0], eye[5], eye[4], eye[3]])
        low = low + np.array([0, random.uniform(-0.03, 0.06) * eyes])
        thick = max(1, int(random.uniform(0.02, 0.06) * eyes))
        strong = int(random.uniform(90, 255))
        lash.line([tuple(map(float, p)) for p in low], fill=strong, width=thick, joint="curve")
        x, _ = (int(v) for v in centre)
        brow = points[17:22] if side == 0 else points[22:27]
        y_lid = int(eye[1:3, 1].mean() * 0.6 + brow[:, 1].mean() * 0.4)
        half = max(2, int(0.12 * eyes))
        y_lid, x = np.clip(y_lid, 3, picture.height - 4), np.clip(x, half, picture.width - half - 1)
        lid = pixels[y_lid - 2 : y_lid + 3, x - half : x + half].reshape(-1, 3).mean(0)
        below = int(np.clip(centre[1] + 0.22 * eyes, 3, picture.height - 4))
        under = pixels[below - 2 : below + 3, x - half : x + half].reshape(-1, 3).mean(0)
        top, bottom = grown[:, 1].min(), grown[:, 1].max()
        rows = np.arange(picture.height)[:, None]
        share = np.clip((rows - top) / max(bottom - top, 1), 0, 1)[..., None]
        shade = random.uniform(0.85, 1.1)
        colour = (lid * (1 - share) + (0.5 * lid + 0.5 * under) * share) * shade
        columns = np.abs(np.arange(picture.width) - centre[0]) < 0.5 * eyes
        texture[:, columns] = np.broadcast_to(colour, texture.shape)[:, columns]
    texture = np.clip(texture + 4 * noise(picture.size, random, 3)[..., None], 0, 255)
    soft = np.asarray(shape.filter(ImageFilter.GaussianBlur(0.035 * eyes)), dtype=np.float64)[..., None] / 255
    painted = pixels * (1 - soft) + texture * soft
    line = np.asarray(lashes.filter(ImageFilter.GaussianBlur(0.012 * eyes)), dtype=np.float64)[..., None] / 255
    dark = skin(picture, points) * random.uniform(0.1, 0.35)
    painted = painted * (1 - line) + dark * line
    return Image.fromarray(np.clip(painted, 0, 255).astype(np.uint8)), shape


def tongue(picture: Image.Image, points: Array, random: Random) -> tuple[Image.Image, Image.Image]:
    """A tongue out of the mouth, over lip and chin, with something of the mouth's dark above it."""
    eyes = eyes_apart(points)
    shape, draw = drawn(picture)
    dark = Image.new("L", picture.size)
    centre = points[60:68].mean(0)
    x, y = centre + np.array([random.normal(0, 0.06) * eyes, 0])
    w, h = random.uniform(0.16, 0.34) * eyes, random.uniform(0.25, 0.65) * eyes
    if random.random() < 0.75:
        gap, wide = random.uniform(0.03, 0.2) * eyes, random.uniform(0.25, 0.45) * eyes
        ImageDraw.Draw(dark).ellipse((x - wide, y - gap, x + wide, y + gap), fill=255)
    draw.ellipse((x - w, y + h - 2 * w * 0.8, x + w, y + h), fill=255)
    draw.rectangle((x - w, y, x + w, max(y, y + h - 0.8 * w)), fill=255)
    pixels = np.asarray(picture, dtype=np.float64)
    inner = np.asarray(dark.filter(ImageFilter.GaussianBlur(0.8)), dtype=np.float64)[..., None] / 255
    pixels = pixels * (1 - inner) + random.uniform(15, 60, 3) * inner
    colour = np.array([205, 110, 115]) * random.uniform(0.7, 1.15) + random.normal(0, 12, 3)
    columns = np.mgrid[: picture.height, : picture.width][1]
    groove = 1 - random.uniform(0, 0.25) * np.exp(-(((columns - x) / (0.15 * w)) ** 2))
    inside = np.asarray(shape.filter(ImageFilter.GaussianBlur(w / 3)), dtype=np.float64) / 255
    texture = colour * (groove * (0.7 + 0.35 * inside))[..., None]
    texture = texture * (1 + 0.04 * noise(picture.size, random, 2))[..., None]
    soft = np.asarray(shape.filter(ImageFilter.GaussianBlur(0.8)), dtype=np.float64)[..., None] / 255
    painted = pixels * (1 - soft) + texture * soft
    return Image.fromarray(np.clip(painted, 0, 255).astype(np.uint8)), shape
