"""Identity networks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinblend.errors import UsageError
from kinblend.identity.joint import SEPARATOR, JointIdentity

if TYPE_CHECKING:
    from kinblend.face_interfaces import IdentityNetwork


def load_identity(name: str | None = None) -> IdentityNetwork:
    """A registered identity network, made once; None: the one of the settings, else the one that plugins prefer.

    name: several with a plus between them ("one+other") are taken as one (`joint.JointIdentity`).
    Raises `UsageError` for an unknown name, or one given twice, and `ModelError` without weights.
    """
    from kinblend.plugins import load_component  # the network itself is used where pluggy is not installed

    if name is not None and SEPARATOR in name:
        parts = name.split(SEPARATOR)
        if len(set(parts)) < len(parts):
            raise UsageError(f"{name!r} names an identity network twice")
        return JointIdentity([load_identity(part) for part in parts])
    found: IdentityNetwork = load_component("identity-network", name)
    return found
