"""What the shell offers where a name is asked for. `kinblend --install-completion` turns it on."""

from __future__ import annotations

from collections.abc import Callable

from kinblend.errors import KinblendError

Complete = Callable[[str], list[tuple[str, str]]]


def names(kind: str) -> Complete:
    """Completes the names of registered plugins of a kind, each with its summary; nothing is imported for it."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from kinblend.plugins import load_plugins

        specs = load_plugins()[kind].by_preference()
        return [(spec.name, spec.summary) for spec in specs if spec.name.startswith(incomplete)]

    return complete


def packs(incomplete: str) -> list[tuple[str, str]]:
    """Completes the names of model packs: installed ones, and ones that can be pulled."""
    from kinblend.plugins import load_plugins
    from kinblend.settings import load_settings
    from kinblend.storage.pack_index import installed

    sources = load_plugins().packs
    try:
        here = installed(load_settings().packs)
    except (KinblendError, OSError):
        here = {}
    found = {name: sources[name].summary if name in sources else "imported" for name in sorted({*here, *sources})}
    return [(name, summary) for name, summary in found.items() if name.startswith(incomplete)]
