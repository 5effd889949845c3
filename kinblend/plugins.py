"""Loads plugins so that a broken one is reported by name and never takes the tool down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import Distribution, EntryPoint
from typing import TYPE_CHECKING, Any

import pluggy

from kinblend import hookspecs
from kinblend.distributions import entry_points
from kinblend.errors import (
    DuplicateNameError,
    KinblendError,
    PluginError,
    is_interrupt,
    summarize,
    wrap_plugin_errors,
)
from kinblend.face_checks import guard
from kinblend.face_interfaces import BASES, FaceComponent
from kinblend.registry import KINDS, PluginSpec, Registry, contained
from kinblend.settings import load_settings
from kinblend.validation import shortened

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.storage.pack_sources import PackSource

GROUP = "kinblend"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PluginReport:
    """How loading one plugin went: `error` is None, or one line that says why it was left out."""

    name: str
    module: str
    distribution: str
    version: str
    error: str | None = None


class Plugins:
    """All plugins of this process: the registries they filled, and a report on each."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self.registries = {kind: Registry(kind) for kind in KINDS}
        self.packs: dict[str, PackSource] = {}
        self.pack_owners: dict[str, str] = {}  # the plugin that registered each
        self.reports: list[PluginReport] = []
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        for point in sorted(_found(self.reports) if points is None else points, key=_load_order):
            self._load(point)
        for registry in self.registries.values():
            registry.left_out = [report.name for report in self.reports if report.error]

    def __getitem__(self, kind: str) -> Registry:
        return self.registries[kind]

    def distribution_of(self, spec: PluginSpec) -> str:
        """The distribution that brought a spec, with its version: "kinblend 0.1.0"."""
        loaded = (r for r in self.reports if r.error is None)
        return next((f"{r.distribution} {r.version}" for r in loaded if r.name == spec.source), "")

    def call(self, hook: str, **arguments: Any) -> None:
        """Call a lifecycle hook of every plugin: those marked `tryfirst` first, those marked `trylast` last, else in
        the order in which they were loaded. Raises `PluginError` that names the plugin that failed."""
        impls = getattr(self._manager.hook, hook).get_hookimpls()
        for impl in sorted(impls, key=lambda impl: impl.trylast - impl.tryfirst):
            try:
                impl.function(**{name: arguments[name] for name in impl.argnames})
            except BaseException as error:
                if is_interrupt(error):
                    raise
                raise PluginError(f"plugin '{impl.plugin_name}' failed in {hook}: {summarize(error)}") from error

    def _load(self, point: EntryPoint) -> None:
        report = PluginReport(point.name, point.value, *_distribution(point))
        try:
            with contained():
                module = point.load()
                self._check_hook_names(module)
                self._register(point.name, module)
        # Whatever a plugin raises, but the user's own Ctrl-C, leaves the others and the tool as they were.
        except BaseException as error:
            if is_interrupt(error):
                raise
            said = str(error) if isinstance(error, KinblendError) else summarize(error)
            report = replace(report, error=said)
        LOG.debug("plugin %s of %s: %s", report.name, report.distribution, report.error or "loaded")
        self.reports.append(report)

    def _check_hook_names(self, module: object) -> None:
        known = {name for name in vars(hookspecs) if name.startswith("kinblend_")}
        for name in dir(module):
            if not name.startswith("kinblend_") or not callable(getattr(module, name)):
                continue  # for example a module that it imported
            if name not in known:
                raise PluginError(f"there is no hook {name}; did you mean {_closest(name, known)}?")
            options = getattr(getattr(module, name), "kinblend_impl", None)
            if options is None:
                raise PluginError(f"{name} is not marked with @kinblend.hookimpl")
            if options.get("wrapper") or options.get("hookwrapper"):
                raise PluginError(
                    f"{name} is a wrapper, and kinblend's hooks are called one by one; leave wrapper out"
                )

    def _register(self, name: str, module: object) -> None:
        if self._manager.has_plugin(name):
            raise DuplicateNameError(f"a plugin named '{name}' is loaded already")
        self._manager.register(module, name)
        try:
            self._collect(name, module)
        except BaseException:
            self._manager.unregister(name=name)
            raise

    def _collect(self, name: str, module: object) -> None:
        staged: dict[str, list[PluginSpec]] = {}
        for kind in KINDS:
            hook = f"kinblend_register_{kind.replace('-', '_')}s"
            if hasattr(module, hook):
                staged[kind] = []
                getattr(module, hook)(_collector(staged[kind], name))
        packs: list[PackSource] = []
        if hasattr(module, "kinblend_register_packs"):
            module.kinblend_register_packs(_pack_collector(packs))
        self._commit(staged, packs)
        self.pack_owners |= dict.fromkeys((pack.name for pack in packs), name)

    def _commit(self, staged: dict[str, list[PluginSpec]], packs: list[PackSource]) -> None:
        """Take everything the plugin registered, or nothing of it."""
        trial = {kind: Registry(kind) for kind in KINDS}
        for kind, registry in trial.items():
            registry.add(self.registries[kind])
            registry.add(staged.get(kind, []))
        taken = dict(self.packs)
        for pack in packs:
            if pack.name in taken:
                raise DuplicateNameError(f"pack '{pack.name}' is registered already")
            taken[pack.name] = pack
        self.registries, self.packs = trial, taken


@cache
def load_plugins() -> Plugins:
    """The plugins of this process, loaded once."""
    return Plugins()


def load_component(kind: str, name: str | None = None) -> Any:
    """A detector, landmarker, identity network or upscaler, made once and kept.

    name: None takes the one that the settings name, else the one that plugins prefer.
    Raises `UnknownPluginError`, `PluginError`, and `ModelError` where its weights are missing.
    """
    registry = load_plugins()[kind]
    chosen = name or getattr(load_settings(), kind.replace("-", "_"), None)
    spec = registry.get(chosen) if chosen else registry.default()
    key = (kind, spec.name, spec.target)
    if key not in _components:
        _components[key] = _make_component(kind, spec)
    return _components[key]


def load_analyser(name: str | None = None) -> Callable[[Sequence[Image]], list[dict[str, Any]]]:
    """The analyser of that name: pictures of a face each → what it guesses of each, such as `age` and `gender`.

    name: None takes the one that plugins prefer. Raises `UnknownPluginError`, and `PluginError` where what it needs
    is not installed.
    """
    analysers = load_plugins()["analyser"]
    found: Callable[[Sequence[Image]], list[dict[str, Any]]] = (
        analysers.get(name) if name else analysers.default()
    ).function()
    return found


_components: dict[tuple[str, str, str], FaceComponent] = {}


def _make_component(kind: str, spec: PluginSpec) -> FaceComponent:
    import torch

    distribution = load_plugins().distribution_of(spec)
    who = f"{kind} '{spec.name}' of {distribution or '?'}"
    # Weights made inside a caller's inference mode could never be differentiated through.
    with torch.inference_mode(False), wrap_plugin_errors(who):
        made = spec.load()()
    if not isinstance(made, BASES[kind]):
        raise PluginError(f"{who} is a {type(made).__name__}, not a kinblend.{BASES[kind].__name__}")
    made.name, made.distribution = spec.name, distribution
    guard(made)
    return made


def _collector(found: list[PluginSpec], source: str) -> Callable[[PluginSpec], None]:
    def register(spec: PluginSpec) -> None:
        if not isinstance(spec, PluginSpec):
            raise PluginError(f"register takes a kinblend.PluginSpec(name, summary, target), not {shortened(spec)}")
        found.append(replace(spec, source=source))

    return register


def _pack_collector(found: list[PackSource]) -> Callable[[PackSource], None]:
    from kinblend.storage.pack_sources import PackSource

    def register(source: PackSource) -> None:
        if not isinstance(source, PackSource):
            raise PluginError(f"register takes a kinblend.packs.PackSource(name, summary), not {shortened(source)}")
        found.append(source)

    return register


def _found(reports: list[PluginReport]) -> list[EntryPoint]:
    """The entry points of all distributions, but for those whose metadata can't be read: they are reported."""
    points, unreadable = entry_points()
    for one in unreadable:
        reason = f"the metadata in {one.place} is broken: {one.reason}; reinstall or remove that distribution"
        reports.append(PluginReport(one.name, "?", one.name, one.version, reason))
    return list(points.select(group=GROUP))


def _distribution(point: EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that brings a plugin; "?" where it does not say."""
    with suppress(Exception):
        if point.dist is not None:
            return _name_and_version(point.dist)
    return "?", "?"


@cache
def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    """Parsed once: each look at a distribution's name or version parses all of its metadata, the README too."""
    return str(distribution.name or "?"), str(distribution.version or "?")


def _load_order(point: EntryPoint) -> tuple[bool, str, str]:
    # Our own distribution first, so that a stranger who takes a built-in's name is the one refused.
    distribution, _ = _distribution(point)
    return distribution != "kinblend", distribution, point.name


def _closest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    names = sorted(known)
    return (get_close_matches(name, names, n=1, cutoff=0.0) or names)[0]
