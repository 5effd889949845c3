"""What `kinblend families encode` wrote, together with the backbone that it was encoded for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.backbone import Backbone
    from kinblend.families.trios import Trios


def load_encoded(
    trios: Sequence[Path],
    backbone: str | None,
    seed: int,
    identity: str | None = None,
    machine: tuple[str | None, str | None, str | None] = (None, None, None),
) -> tuple[Backbone, Trios]:
    """The backbone that was named or is set, and all trios joined. Raises `InputError` where they don't fit it.

    identity: as for `Trios.seen_by`. machine: device, precision and memory budget; None: as the settings say.
    """
    from kinblend.backbone import load_backbone
    from kinblend.device import DevicePool
    from kinblend.families.trios import join_trios, load_trios

    settings = load_settings(device=machine[0], precision=machine[1], memory_budget=machine[2])
    pool = DevicePool(settings.device, settings.memory_budget, settings.precision)
    loaded = load_backbone(backbone, pool)
    return loaded, join_trios([load_trios(path, loaded.space).seen_by(identity) for path in trios], seed)
