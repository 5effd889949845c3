"""A batch in S3 whose connections are broken in the middle of each of its requests, one after the other; then one
whose process is killed, and one on a Ray cluster. Each time a second call has to end with the same objects.

    python benchmarks/broken_stores.py [--every N] [--kills N] [--ray]

Needs `pip install s3fs 'moto[s3]' flask flask-cors`, and ray for `--ray`: the server of S3 is a part of this process.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from broken_stores import breaking_proxy

from kinblend.batch import BatchOptions, EngineOptions, read_couples, run_batch
from kinblend.cli.demo import example
from kinblend.errors import StoreError
from kinblend.imaging import read_image
from kinblend.object_stores import Address, Place, open_store, remote
from kinblend.workers import ThisProcess, Workers

BUCKET = Address("s3", "bucket")
ENGINE = EngineOptions("morphable", "cpu")
PEOPLE = ("P001", "P004", "P005")
ROWS = ["p1.png,p4.png,,1", "p4.png,p5.png,30,2", "p5.png,p1.png,12,3", "p1.png,gone.png,,1"]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="break every so many-th request alone")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--ray", action="store_true")
    words = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "{}:{}".format(*server.get_host_and_port())
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with breaking_proxy(address) as proxy:
        os.environ["AWS_ENDPOINT_URL"] = f"http://{proxy.address}"
        remote.PAUSE = 0
        remote.filesystem("s3").mkdir("bucket")
        table = put_inputs()
        proxy.count = 0
        batch(table, BUCKET / "whole")
        count, whole = proxy.count, tree(BUCKET / "whole")
        print(f"undisturbed: {count} requests, {len(whole)} objects", flush=True)
        break_each(proxy, table, whole, range(1, count, words.every))
        kill(table, whole, words.kills)
        if words.ray:
            on_ray(table, whole)
        with tempfile.TemporaryDirectory() as folder:
            batch(table, Path(folder) / "here")
            compare("a folder of this machine", tree(Path(folder) / "here"), whole)
    server.stop()


def put_inputs() -> Address:
    """A table and its photographs, in the bucket; returns where the table is."""
    store = open_store(BUCKET / "in")
    with tempfile.TemporaryDirectory() as folder:
        for person in PEOPLE:
            path = Path(folder) / f"p{int(person[1:])}.png"
            read_image(example(person)).resize((160, 160)).save(path)
            store.write(path.name, path.read_bytes())
    store.write("couples.csv", "\n".join(["father,mother,age,seed", *ROWS]).encode())
    return BUCKET / "in" / "couples.csv"


def batch(table: Address, out: Place, workers: Workers | None = None) -> None:
    run_batch(read_couples(table), out, ENGINE, BatchOptions(), workers=workers or ThisProcess())


def tree(place: Place) -> dict[str, bytes]:
    store = open_store(place)
    return {name: store.read(name) for name in store.sizes()}


def break_each(proxy: object, table: Address, whole: dict[str, bytes], numbers: range) -> None:
    """Break connections from each of these requests on, and go on with a second call."""
    told = same = 0
    for number in numbers:
        out = BUCKET / f"broken{number}"
        proxy.at, proxy.count = number, 0
        try:
            batch(table, out)
        except StoreError:
            told += 1
        proxy.at = 0
        batch(table, out)
        same += tree(out) == whole
        print(f"request {number}: told {told}, the same objects {same}", file=sys.stderr, flush=True)
    print(f"broken in the middle of a request: {len(numbers)}, told: {told}, the same objects afterwards: {same}")


def kill(table: Address, whole: dict[str, bytes], kills: int) -> None:
    """Kill a batch of two workers again and again, and then let it end."""
    out, source = BUCKET / "killed", random.Random(0)
    words = [sys.executable, "-m", "kinblend.cli", "batch", str(table), "--out", str(out), "--workers", "2"]
    words += ["--backbone", "morphable", "--device", "cpu", "--quiet"]
    done = 0
    for _ in range(kills):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(open_store(out).sizes())
        while len(open_store(out).sizes()) <= before + 1 and process.poll() is None:
            time.sleep(0.05)
        time.sleep(source.uniform(0, 1))
        process.kill()
        done += process.wait() < 0
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    print(f"killed: {done} times; the last call ended with {ended.returncode} {ended.stderr.strip()}")
    compare("after the kills", tree(out), whole)


def on_ray(table: Address, whole: dict[str, bytes]) -> None:
    from kinblend.ray_workers import RayWorkers

    with RayWorkers("local") as workers:
        batch(table, BUCKET / "ray", workers)
    compare("a Ray cluster", tree(BUCKET / "ray"), whole)


def compare(what: str, ours: dict[str, bytes], theirs: dict[str, bytes]) -> None:
    other = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    print(f"{what}: {'the same objects' if not other else f'others: {other}'}", flush=True)


if __name__ == "__main__":
    main()
