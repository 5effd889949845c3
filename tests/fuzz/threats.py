"""All threats by name."""

from __future__ import annotations

from fuzz.files import flipped_bits, loaders, mutated_pictures
from fuzz.kills import kills
from fuzz.load import leases, processes_and_threads
from fuzz.outcome import Threat
from fuzz.plugins import broken_plugins
from fuzz.web import web_load

THREATS: dict[str, Threat] = {
    "hostile files through every loader": loaders,
    "flipped bits": flipped_bits,
    "mutated pictures": mutated_pictures,
    "killed commands": kills,
    "broken plugins": broken_plugins,
    "leases that raise": leases,
    "processes and threads at once": processes_and_threads,
    "the web app under load": web_load,
}
