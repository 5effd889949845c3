"""Broken plugins never take the tool down: real modules, loaded through real entry points."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kinblend.plugins import Plugins

GOOD = """
import kinblend
@kinblend.hookimpl
def kinblend_register_blenders(register):
    register(kinblend.PluginSpec("{name}", "a test", "m:C"))
"""
BROKEN = {
    "import": ("import a_module_that_is_not_there", "a_module_that_is_not_there"),
    "syntax": ("def broken(:", "SyntaxError"),
    "exit": ("raise SystemExit(3)", "SystemExit"),
    "misspelt": (GOOD.replace("register_blenders", "register_blendres"), "did you mean kinblend_register_blenders"),
    "unmarked": (GOOD.replace("@kinblend.hookimpl", ""), "hookimpl"),
    "duplicate": (GOOD.format(name="good"), "'good' is registered already by 'a-good'"),
    "raises": (GOOD.replace("register(kinblend", "raise ValueError('inside')\n    register(kinblend"), "inside"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_named_and_the_others_work(kind: str, tmp_path: Path, monkeypatch) -> None:
    source, reason = BROKEN[kind]
    (tmp_path / "a_good_one.py").write_text(GOOD.format(name="good"))
    (tmp_path / "z_broken_one.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint("z-broken", "z_broken_one", "kinblend"), EntryPoint("a-good", "a_good_one", "kinblend")]
    plugins = Plugins(points)
    for module in ("a_good_one", "z_broken_one"):
        sys.modules.pop(module, None)
    assert [spec.name for spec in plugins["blender"]] == ["good"]
    errors = {report.name: report.error for report in plugins.reports}
    assert errors["a-good"] is None
    assert reason in (errors["z-broken"] or "")
    assert "\n" not in (errors["z-broken"] or "")


def test_a_module_with_a_name_like_a_hooks_is_no_hook(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "kinblend_helpers.py").write_text("HALF = 0.5\n")
    (tmp_path / "helped.py").write_text("import kinblend_helpers\nkinblend_share = kinblend_helpers.HALF\n")
    monkeypatch.syspath_prepend(tmp_path)
    [report] = Plugins([EntryPoint("helped", "helped", "kinblend")]).reports
    assert report.error is None


def test_a_taken_entry_point_leaves_the_first_plugin_whole(tmp_path: Path, monkeypatch) -> None:
    """Its lifecycle hooks too, which live in the plugin manager."""
    hooked = GOOD + "seen = []\n@kinblend.hookimpl\ndef kinblend_before_stage(stage):\n    seen.append(stage)\n"
    (tmp_path / "first_one.py").write_text(hooked.format(name="first"))
    (tmp_path / "second_one.py").write_text(GOOD.format(name="second"))
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins([EntryPoint("same", f"{place}_one", "kinblend") for place in ("first", "second")])
    plugins.call("kinblend_before_stage", stage="blend", run={})
    assert sys.modules["first_one"].seen == ["blend"]
    assert [spec.name for spec in plugins["blender"]] == ["first"]
    assert [report.error is None for report in plugins.reports] == [True, False]
    for module in ("first_one", "second_one"):
        sys.modules.pop(module)


def test_every_built_in_plugin_loads() -> None:
    built_in = {report.name: report.error for report in Plugins().reports if report.distribution == "kinblend"}
    assert built_in == dict.fromkeys(
        [
            "morphable",
            "blenders",
            "interfacegan",
            "detectors",
            "landmarkers",
            "identity-networks",
            "upscalers",
            "stylegan2",
            "mobilestylegan",
            "stylegan1",
            "stylegan3",
            "wplus",
            "e4e",
            "inversion",
            "importers",
            "datasets",
            "analysers",
        ]
    )


def test_the_order_of_pluggy_is_kept_and_wrappers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "import kinblend\nimport order_told\n@kinblend.hookimpl({how})\ndef kinblend_before_stage(stage):\n"
    told += "    order_told.names.append(__name__)\n"
    (tmp_path / "order_told.py").write_text("names = []\n")
    marked = {"last_one": "trylast=True", "plain_one": "", "first_one": "tryfirst=True", "wrap_one": "wrapper=True"}
    for name, how in marked.items():
        (tmp_path / f"{name}.py").write_text(told.format(how=how))
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins([EntryPoint(name, name, "kinblend") for name in marked])
    plugins.call("kinblend_before_stage", stage="blend", run={})
    assert sys.modules["order_told"].names == ["first_one", "plain_one", "last_one"]
    [report] = [report for report in plugins.reports if report.error]
    assert report.name == "wrap_one"
    assert "leave wrapper out" in str(report.error)
    for name in (*marked, "order_told"):
        sys.modules.pop(name)
