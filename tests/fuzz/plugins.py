"""65 kinds of broken plugin: the tool works beside each, and names it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz.outcome import Outcome
from plugin_site import Site

RAISED = {
    "an error": "raise RuntimeError('x')",
    "an assertion": "assert False",
    "no module": "import a_module_that_is_not_there",
    "bad syntax": "def (",
    "bad bytes": "\udcff",
    "an exit": "raise SystemExit(0)",
    "sys.exit": "import sys; sys.exit()",
    "an interrupt": "raise KeyboardInterrupt",
    "a closed generator": "raise GeneratorExit",
    "no memory": "raise MemoryError",
    "recursion": "def f(): f()\nf()",
    "an own exception": "class E(BaseException): pass\nraise E",
    "an unspeakable one": "class E(BaseException):\n    def __str__(self): raise SystemExit\nraise E",
    "a warning": "raise DeprecationWarning('x')",
    "a group": "raise ExceptionGroup('x', [ValueError('y')])",
    "a newline": "raise ValueError('a\\nb\\x1b[31m')",
}
# What it does while it is imported, and goes on as if nothing were.
DONE = {
    "prints": "print('noise')",
    "writes to stderr": "import sys; sys.stderr.write('noise')",
    "closes the streams": "import sys; sys.stdout.close(); sys.stderr.close()",
    "takes the streams away": "import sys; sys.stdout = sys.stderr = None",
    "moves": "import os; os.chdir('/')",
    "ignores Ctrl-C": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "warns": "import warnings; warnings.warn('noise')",
    "logs": "import logging; logging.basicConfig(level=0); logging.error('noise')",
}
HOOK = "import kinblend\n@kinblend.hookimpl\ndef kinblend_register_{kind}(register):\n    "
REGISTERED = {
    "registers nothing": "pass",
    "registers a text": "register('x')",
    "registers None": "register(None)",
    "registers a name twice": "[register(kinblend.PluginSpec('twice', 's', 'a:b')) for _ in range(2)]",
    "registers an odd name": "register(kinblend.PluginSpec('../x', 's', 'a:b'))",
    "registers an empty name": "register(kinblend.PluginSpec('', 's', 'a:b'))",
    "registers a place that is none": "register(kinblend.PluginSpec('noplace', 's', 'nowhere'))",
    "registers a module that is none": "register(kinblend.PluginSpec('nomodule', 's', 'no.where:X'))",
    "registers a class that is none": "register(kinblend.PluginSpec('noclass', 's', 'kinblend:Nothing'))",
    "raises in the hook": "raise RuntimeError('x')",
    "exits in the hook": "raise SystemExit(0)",
    "prints in the hook": "print('noise')",
    "takes a built-in name": "register(kinblend.PluginSpec('{builtin}', 's', 'a:b'))",
}
# What is no fault until it is used.
HARMLESS = dict.fromkeys(
    ("registers nothing", "prints in the hook", "registers a module that is none", "registers a class that is none")
)
KINDS = {"blenders": "average", "editors": "interfacegan", "encoders": "morphable"}
OTHER = {
    "a hook with other words": "import kinblend\n@kinblend.hookimpl\ndef kinblend_register_blenders(other): pass",
    "a hook that is none": "import kinblend\n@kinblend.hookimpl\ndef kinblend_dance(register): pass",
}


def broken_plugins(share: float, folder: Path) -> Outcome:
    """Each broken plugin beside all of ours: commands end well, JSON is JSON, and its fault is told where it is."""
    sources = RAISED | DONE | OTHER
    for kind, builtin in KINDS.items():
        for name, body in REGISTERED.items():
            sources[f"{name} ({kind})"] = HOOK.format(kind=kind) + body.replace("{builtin}", builtin)
    tried = list(sources)[:: round(1 / share)]

    def try_one(name: str) -> str:
        site = Site(folder / str(tried.index(name)))
        site.add("odd", "")
        (site.folder / "odd_plugin.py").write_bytes(sources[name].encode("utf-8", "surrogateescape"))
        return fault(site, expected=name.partition(" (")[0] not in DONE | HARMLESS)

    found = Outcome()
    with ThreadPoolExecutor(2) as threads:
        for name, failure in zip(tried, threads.map(try_one, tried), strict=True):
            found.count(not failure, f"{name}: {failure}")
    found.note = f"{len(sources)} kinds"
    return found


def fault(site: Site, expected: bool) -> str:
    """What goes wrong beside it; "" where nothing does."""
    done = site.kinblend("blenders", "list", "--json")
    try:
        names = {one["name"] for one in json.loads(done.stdout)}
    except ValueError:
        return f"no JSON but {done.stdout[:80]!r}"
    if done.returncode or "average" not in names or "Traceback" in done.stderr:
        return f"code {done.returncode}: {done.stderr[-200:]}"
    told = site.kinblend("plugins", "--json")
    if told.returncode or "Traceback" in told.stderr:
        return f"plugins: code {told.returncode}: {told.stderr[-200:]}"
    [error] = [one["error"] for one in json.loads(told.stdout) if one["name"] == "odd"] or [""]
    if expected and not error:
        return "its fault is not told"
    return ""
