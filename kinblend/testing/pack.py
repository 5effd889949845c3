"""What the contracts of encoders and projectors share: a model pack that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from kinblend.backbone import Backbone, load_backbone


class PackContract:
    """backbone: the pack's name or folder. encoder_options: of its encoder, where its defaults would take long."""

    backbone: ClassVar[str | Path]
    encoder_options: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def opened(cls) -> Backbone:
        """The backbone, loaded once for all tests of the class."""
        if "_opened" not in vars(cls):
            cls._opened = load_backbone(cls.backbone, encoder_options=cls.encoder_options)
        return cls._opened

    _opened: ClassVar[Backbone]
