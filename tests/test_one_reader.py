"""Each kind of file that somebody else may have made is opened in one module, which knows what may be wrong."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for top in ("kinblend", "plugins", "examples") for path in (ROOT / top).rglob("*.py"))

# What opens a file of a kind, by its full name, and the only modules that may.
OPENERS = {
    "PIL.Image.open": {"kinblend/imaging/decode.py"},
    "zipfile.ZipFile": {"kinblend/storage/archives.py"},
    "zipfile.is_zipfile": {"kinblend/storage/archives.py"},
    "torch.load": set(),
    "torch.jit.load": set(),
    "torch.package.PackageImporter": set(),
    "numpy.load": {"kinblend/storage/tensors.py"},
    "numpy.fromfile": set(),
    **{
        f"safetensors.{name}": {"kinblend/tensor_files.py"}
        for name in (
            "safe_open",
            "torch.load",
            "torch.load_file",
            "torch.load_model",
            "numpy.load",
            "numpy.load_file",
        )
    },
    "csv.reader": {"kinblend/storage/separated.py"},
    "csv.DictReader": set(),
    "pyarrow.parquet.ParquetFile": {"kinblend/storage/tables.py"},
    **{f"pyarrow.{name}": set() for name in ("parquet.read_table", "dataset.dataset", "csv.read_csv")},
}
# Modules that can do harm by being handed a file at all, and who may import them.
MODULES = {
    "xml": {"kinblend/storage/openvino_xml.py"},
    **{name: set() for name in ("pickle", "dill", "joblib", "marshal", "shelve", "tarfile", "lxml", "yaml")},
}


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call of something that was imported, by its full name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                (a.asname or a.name.split(".")[0]): (a.name if a.asname else a.name.split(".")[0]) for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {(a.asname or a.name): f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := dotted(node.func, names)):
            yield name, node


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    inner = dotted(node.value, names) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if inner else ""


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def writes(call: ast.Call) -> bool:
    """`ZipFile(…, "w")` reads nothing."""
    return any(
        isinstance(a, ast.Constant) and a.value == "w" for a in [*call.args, *(k.value for k in call.keywords)]
    )


def strays(path: Path) -> list[str]:
    """What a module opens that it may not."""
    tree, place = ast.parse(path.read_text("utf-8")), path.relative_to(ROOT).as_posix()
    found = [
        f"{place}:{call.lineno}: {name}"
        for name, call in calls(tree)
        if name in OPENERS and place not in OPENERS[name] and not (name == "zipfile.ZipFile" and writes(call))
    ]
    return found + [f"{place}: {name}" for name in imported(tree) if name in MODULES and place not in MODULES[name]]


def test_finding_01_no_file_is_opened_outside_the_guarded_readers() -> None:
    assert len(SOURCES) > 150
    assert [stray for path in SOURCES for stray in strays(path)] == []


def test_the_walk_sees_every_way_to_write_the_call(tmp_path: Path) -> None:
    """Else the test above would hold for the wrong reason."""
    source = "import PIL.Image\nfrom PIL import Image as pil\nfrom zipfile import ZipFile as Z\nimport csv as c\n"
    source += "pil.open(x)\nPIL.Image.open(x)\nZ(x)\nZ(x, 'w')\nc.DictReader(x)\nfile.open(x)\n"
    assert [name for name, call in calls(ast.parse(source)) if name in OPENERS and not writes(call)] == [
        "PIL.Image.open",
        "PIL.Image.open",
        "zipfile.ZipFile",
        "csv.DictReader",
    ]
