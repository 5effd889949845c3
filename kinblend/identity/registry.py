"""Identity networks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinblend.face_interfaces import IdentityNetwork


def load_identity(name: str | None = None) -> IdentityNetwork:
    """A registered identity network, made once; None: the one of the settings, else the one that plugins prefer.

    Raises `UsageError` for an unknown name and `ModelError` without weights.
    """
    from kinblend.plugins import load_component  # the network itself is used where pluggy is not installed

    found: IdentityNetwork = load_component("identity-network", name)
    return found
