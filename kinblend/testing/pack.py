"""What the contracts of encoders and projectors share: a model pack that uses them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from kinblend.backbone import Backbone, load_backbone


class PackContract:
    """backbone: the pack's name or folder."""

    backbone: ClassVar[str | Path]

    @classmethod
    def opened(cls) -> Backbone:
        """The backbone, loaded once for all tests of the class."""
        if "_opened" not in vars(cls):
            cls._opened = load_backbone(cls.backbone)
        return cls._opened

    _opened: ClassVar[Backbone]
