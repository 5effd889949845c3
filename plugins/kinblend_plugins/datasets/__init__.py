"""Readers of kinship data sets."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

_HERE = "kinblend_plugins.datasets"


@kinblend.hookimpl
def kinblend_register_datasets(register: Callable[[kinblend.PluginSpec], None]) -> None:
    # The first that knows a folder reads it. Prepared pictures lie in folders named as in the set they came from.
    for name, summary in (
        ("prepared", "what `kinblend prepare` wrote: crops and families.json"),
        ("family101", "Family101: FAMILY101.txt and Family101_150x120/FAMILY/PERSON/*.jpg"),
        ("fiw", "Families in the Wild: F0001/mid.csv and F0001/MID1/*.jpg"),
        ("tskinface", "TSKinFace: FMS-1-F.jpg, FMD-1-D.jpg, FMSD-1-S.jpg …"),
        ("kinfacew", "KinFaceW: father-dau/fd_001_1.jpg and fd_001_2.jpg …; pairs of one parent and a child"),
        ("table", "a CSV or Parquet with a trio a row: family, father, mother, child"),
    ):
        register(kinblend.PluginSpec(name, summary, f"{_HERE}.{name}:read"))
