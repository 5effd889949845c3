"""Batches in object stores: the bytes of a folder's files, whatever breaks; tables and photographs of stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch
from broken_stores import Breaking, breaking_proxy
from plugin_site import here

from kinblend import ChildRequest
from kinblend.batch import Batch, BatchOptions, EngineOptions, load_child, read_couples, run_batch, worker
from kinblend.cli.demo import example
from kinblend.errors import InputError, StoreError, UsageError
from kinblend.imaging import read_image
from kinblend.object_stores import Address, open_store, remote
from kinblend.pipeline import Parent, Result
from kinblend.storage.tables import read_table
from kinblend.workers import LocalWorkers, ThisProcess

pytestmark = pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people are not installed")

ENGINE = EngineOptions("morphable", "cpu", projector_options={"background": "mother"})
ROWS = ["p1.png,p4.png,,1", "p4.png,p1.png,30,2", "p1.png,nobody.png,,1"]


class Remembering:
    """The engine, which makes everything once: what is tried here is what becomes of it."""

    def __init__(self) -> None:
        self.engine = ENGINE.open()
        self.people: dict[object, Parent] = {}
        self.results: dict[object, Result] = {}

    def parent(self, picture: Path, face: int | None, upscaler: str | None) -> Parent:
        data = picture.read_bytes()
        if data not in self.people:
            self.people[data] = self.engine.parent(picture, face, upscaler)
        return self.people[data]

    def run(self, father: Parent, mother: Parent, request: ChildRequest) -> Result:
        key = (father.source["sha256"], mother.source["sha256"], request.model_dump_json())
        if key not in self.results:
            self.results[key] = self.engine.run(father, mother, request)
        return self.results[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


@cache
def remembering() -> Remembering:
    return Remembering()


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of this process have an engine that makes everything once."""
    engine = remembering()
    monkeypatch.setattr(EngineOptions, "open", lambda self: engine)
    monkeypatch.setattr(worker, "_engine", lambda options: engine)
    monkeypatch.setattr(remote, "PAUSE", 0)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """A table and its photographs, by name."""
    folder = tmp_path_factory.mktemp("inputs")
    for name, person in {"p1": "P001", "p4": "P004"}.items():
        read_image(example(person)).resize((160, 160)).save(folder / f"{name}.png")
    read_image(example("P001")).crop((0, 0, 64, 64)).save(folder / "nobody.png")
    (folder / "couples.csv").write_text("\n".join(["father,mother,age,seed", *ROWS]) + "\n")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put(inputs: Mapping[str, bytes], place: Address) -> Address:
    """The inputs in a store; returns where the table is."""
    for name, data in inputs.items():
        open_store(place).write(name, data)
    return place / "couples.csv"


@pytest.fixture
def table(inputs: Mapping[str, bytes], tmp_path: Path) -> Path:
    """The inputs in a folder."""
    (tmp_path / "in").mkdir()
    for name, data in inputs.items():
        (tmp_path / "in" / name).write_bytes(data)
    return tmp_path / "in" / "couples.csv"


def memory() -> Address:
    return Address("memory", uuid4().hex)


def made(table: Path | Address, out: Path | Address, **options: Any) -> Batch:
    return run_batch(read_couples(table), out, ENGINE, BatchOptions(**options), workers=ThisProcess())


def tree(place: Path | Address) -> dict[str, bytes]:
    store = open_store(place)
    return {name: store.read(name) for name in store.sizes()}


def index(out: Path | Address) -> list[dict[str, Any]]:
    with open_store(out).copied("index.parquet") as path:
        return [dict(row) for _, row in read_table(path).rows]


def test_the_objects_are_a_folders_files(once: None, table: Path, tmp_path: Path) -> None:
    out = memory()
    assert made(table, tmp_path / "out").done == made(table, out).done == 2
    assert tree(out) == tree(tmp_path / "out")
    assert made(table, out).anew == 0
    ours, theirs = load_child(str(out), "2"), load_child(tmp_path / "out", "2")
    assert torch.equal(ours[0].code, theirs[0].code) and ours[1] is not None and theirs[1] is not None
    assert torch.equal(ours[1].values, theirs[1].values)
    with pytest.raises(InputError, match=rf"memory://{out.path}/index.parquet has no child 1 of '9'"):
        load_child(out, "9")
    with pytest.raises(InputError, match=r"gone/index.parquet does not exist"):
        load_child(out / "gone", "1")


def test_tables_and_photographs_of_a_store(
    once: None, inputs: Mapping[str, bytes], table: Path, tmp_path: Path
) -> None:
    place = memory()
    couples = read_couples(put(inputs, place))
    assert couples[0].father == place / "p1.png"
    made(place / "couples.csv", tmp_path / "out")
    made(table, tmp_path / "whole")
    ours, theirs = tree(tmp_path / "out"), tree(tmp_path / "whole")
    other = {name for name in theirs if ours[name] != theirs[name]}
    lost = {name for name in other if name.startswith("parents/")}  # the one who is no face, by a name of its own
    assert len(lost) == 1 and other == {"index.parquet", "latents-00000.safetensors", *lost}
    rows = index(tmp_path / "out")
    assert [row | {"reason": ""} for row in rows] == [row | {"reason": ""} for row in index(tmp_path / "whole")]
    assert f"memory://{place.path}/nobody.png" in rows[2]["reason"], "and not some file of this machine"


def test_a_folder_for_each_couple_of_a_store(once: None, inputs: Mapping[str, bytes]) -> None:
    store = open_store(place := memory())
    store.write("smith/father.png", inputs["p1.png"])
    store.write("smith/mother.png", inputs["p4.png"])
    store.write("smith/request.json", b'{"age": 30}')
    store.write("jones/father.png", inputs["p1.png"])
    store.write("other/letter.txt", b"")
    jones, smith = read_couples(place)
    assert (smith.id, smith.mother, smith.fields["age"]) == ("smith", place / "smith/mother.png", 30)
    assert "no photograph of the mother" in jones.problem


BAD = {
    "p1.png,gone.png,,": ("ImageError", "gone.png can't be read: there is no such object"),
    "p1.png,large.png,,": ("ImageError", "large.png can't be read: it has more than 0 MiB"),
    "p1.png,couples.csv,,": ("ImageError", "couples.csv"),
    "p1.png,http://me:secret@host/x,,": ("InputError", "http://…@host/x: http:// is no kind of address"),
    "p1.png,../../../x.png,,": ("InputError", "leads out of"),
    "p1.png,child.json,,": ("InputError", "name the latent beside it"),
}


def test_rows_whose_photographs_can_not_be_had(
    once: None, inputs: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinblend.batch.photographs.read_object.__defaults__", (100_000,))
    place, out = memory(), memory()
    lines = "\n".join(["father,mother,age,seed", *BAD, ROWS[0]]) + "\n"
    small = {name: data for name, data in inputs.items() if len(data) <= 100_000}
    put(small | {"large.png": bytes(100_001), "couples.csv": lines.encode()}, place)
    assert made(place / "couples.csv", out).failed == len(BAD)
    for row, (error, reason) in zip(index(out), BAD.values(), strict=False):
        assert (row["status"], row["error"]) == ("failed", error)
        assert reason in row["reason"] and "secret" not in row["reason"]
    assert not any(b"secret" in data for data in tree(out).values())


def test_what_is_lost_is_made_again_and_what_no_record_lists_goes(once: None, table: Path) -> None:
    store = open_store(out := memory())
    made(table, out)
    whole = tree(out)
    store.delete("pictures/00000/000001.png")
    store.write("latents-00000.safetensors", whole["latents-00000.safetensors"][:-1])
    store.write("pictures/00000/000009-2.png", b"of a row that was not ended")
    store.write("rows/000001.safetensors", b"damaged")
    assert made(table, out).anew == 3
    assert tree(out) == whole
    store.write("pictures/letter.txt", b"mine")
    made(table, out)
    assert tree(out) == whole | {"pictures/letter.txt": b"mine"}
    with pytest.raises(UsageError, match=rf"memory://{out.path} was begun with another format"):
        made(table, out, format="webp")
    with pytest.raises(UsageError, match="holds other files"):
        made(table, out / "pictures")


def test_memory_is_of_one_process(table: Path, tmp_path: Path) -> None:
    couples = read_couples(table)
    with LocalWorkers(2) as workers, pytest.raises(UsageError, match="seen by this process alone"):
        run_batch(couples, memory(), ENGINE, workers=workers)
    with pytest.raises(UsageError, match="seen by this process alone"):
        run_batch(couples, memory(), ENGINE, BatchOptions(workers=2))
    code, _, error = here("batch", table, "--out", "memory://x", "--workers", 2, "--backbone", "morphable")
    assert (code, error.count("\n")) == (2, 1) and "one worker" in error


def breaks(monkeypatch: pytest.MonkeyPatch, **how: Any) -> Breaking:
    files = Breaking(remote_files(), **how)
    monkeypatch.setattr(remote, "filesystem", lambda scheme: files)
    return files


def remote_files() -> Any:
    import fsspec

    return fsspec.filesystem("memory")


@pytest.fixture
def undisturbed(
    once: None, inputs: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> tuple[Address, dict[str, bytes], int]:
    """A table in a store, what a batch makes of it there, and by how many requests."""
    table, out = put(inputs, memory()), memory()
    files = breaks(monkeypatch)
    made(table, out)
    count = files.count
    return table, tree(out), count


def test_a_connection_that_breaks_for_good_loses_nothing_and_doubles_nothing(
    undisturbed: tuple[Address, dict[str, bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every twelfth request, done or not: the call says so, and a second one ends as if nothing had been.

    `benchmarks/broken_stores.py` breaks each.
    """
    table, whole, count = undisturbed
    assert count > 30
    for number in range(1, count, 12):  # the last one gives back the lease, which else ends by itself
        out = memory()
        breaks(monkeypatch, at=number, after=number % 24 == 1)
        with pytest.raises(StoreError, match="requests have failed"):
            made(table, out)
        breaks(monkeypatch)
        made(table, out)
        assert tree(out) == whole, number


def test_a_connection_that_breaks_for_a_moment_is_not_noticed(
    undisturbed: tuple[Address, dict[str, bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, whole, count = undisturbed
    for number in range(2, count, 25):
        out = memory()
        files = breaks(monkeypatch, at=number, after=number % 2 == 0, once=True)
        made(table, out)
        assert files.count == count + 1
        assert tree(out) == whole, number


@pytest.fixture
def bucket(s3_server: str) -> Address:
    name = f"b{uuid4().hex}"
    remote.filesystem("s3").mkdir(name)
    return Address("s3", name)


@pytest.fixture
def proxied(s3_server: str, bucket: Address, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A proxy through which S3 is reached, and which breaks connections."""
    with breaking_proxy(s3_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{proxy.address}")
        remote.filesystem("s3").clear_instance_cache()
        yield proxy
    remote.filesystem("s3").clear_instance_cache()


def test_s3_whose_connections_break_in_the_middle(
    once: None, inputs: Mapping[str, bytes], bucket: Address, proxied: Any
) -> None:
    table = put(inputs, bucket / "in")
    proxied.count = 0
    made(table, bucket / "whole")
    count, whole = proxied.count, tree(bucket / "whole")
    for number in (count // 2,):
        proxied.at, proxied.count = number, 0
        with pytest.raises(StoreError, match="requests have failed"):
            made(table, bucket / f"out{number}")
        proxied.at = 0
        made(table, bucket / f"out{number}")
        assert tree(bucket / f"out{number}") == whole
