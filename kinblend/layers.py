"""Layers of a code by number, range or group: "3", "0-3", "features", "coarse".

StyleGAN's coarse, middle and fine layers are those of Karras et al. 2019, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from kinblend.errors import OptionError


def layer_range(name: str, layers: int, groups: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """The first layer of a range and the one after its last: "3" → (3, 4), "0-3" → (0, 4), a group → its layers.

    groups: name → first and last layer. Dashes may stand for the spaces of a name. Whatever the groups are called,
    coarse, middle and fine are the first, the second and all others. Raises `OptionError`.
    """
    ranges = _named_ranges(layers, groups)
    if _plain(name) in ranges:
        return ranges[_plain(name)]
    try:
        numbers = [int(part) for part in name.split("-")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not 0 <= numbers[0] <= numbers[-1] < layers:
        names = ", ".join([*groups, *(known for known in ranges if known not in map(_plain, groups))])
        raise OptionError(f"layer {name!r}: use 0 to {layers - 1}, a range such as 0-3, or {names}")
    return numbers[0], numbers[-1] + 1


def _named_ranges(layers: int, groups: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    ends = [last + 1 for _, last in groups.values()]
    middle, fine = ends[0], ends[1] if len(ends) > 1 else layers
    found = {"coarse": (0, middle), "middle": (middle, fine), "fine": (fine, layers)}
    return found | {_plain(name): (first, last + 1) for name, (first, last) in groups.items()}


def _plain(name: str) -> str:
    """A group's name as it is compared: lower case, dashes and underscores as spaces."""
    return name.lower().replace("-", " ").replace("_", " ")
