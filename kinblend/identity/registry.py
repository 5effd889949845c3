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
        return JointIdentity([load_identity(part) for part in check_identity(name).split(SEPARATOR)])
    found: IdentityNetwork = load_component("identity-network", name)
    return found


def identity_names() -> list[str]:
    """The names of the registered identity networks, the most preferred first."""
    from kinblend.plugins import load_plugins

    return [spec.name for spec in load_plugins()["identity-network"].by_preference()]


def check_identity(name: str) -> str:
    """The name itself, if it is one of `identity_names`, or several with a plus between them.

    Raises `UnknownPluginError`, and `UsageError` for one given twice. Whether its weights are there is not asked.
    """
    from kinblend.plugins import load_plugins

    parts = name.split(SEPARATOR)
    for part in parts:
        load_plugins()["identity-network"].get(part)
    if len(set(parts)) < len(parts):
        raise UsageError(f"{name!r} names an identity network twice")
    return name
