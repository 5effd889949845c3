"""A batch of a thousand couples on a Ray cluster of two machines while they are killed, beside the same batch here.

python benchmarks/ray_kills.py [ROWS [BACKBONE]]. The machines are processes of this one. One is taken away in the
middle, and ten times a process that is at work is killed. Prints whether every row is there once, and whether all
files are those that processes of this machine made.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from kinblend.batch import BatchOptions, EngineOptions, read_couples, run_batch
from kinblend.cli.demo import example
from kinblend.ray_workers import RayWorkers
from kinblend.storage.tables import read_table

PEOPLE = ("P001", "P002", "P004", "P005", "P006", "P007", "P008", "P009", "P010")
KILLS = 10


def main(rows: int = 1000, backbone: str = "morphable") -> None:
    """See the module."""
    folder = Path(tempfile.mkdtemp(prefix="kinblend-ray-"))
    couples = read_couples(write_table(folder, rows))
    engine = EngineOptions(backbone, "cpu")
    started = time.perf_counter()
    here = run_batch(couples, folder / "here", engine, BatchOptions(workers=2))
    print(f"this machine: {here.done} rows done in {time.perf_counter() - started:.0f} s")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    disturbance = Disturbance(cluster, second, rows)
    started = time.perf_counter()
    with RayWorkers() as workers:
        made = run_batch(
            couples, folder / "ray", engine, progress=lambda *told: disturbance.hear(*told), workers=workers
        )
    print(f"cluster: {made.done} rows done, {made.failed} failed in {time.perf_counter() - started:.0f} s")
    print(f"killed: {disturbance.killed} processes, and one of two machines after row {disturbance.removed}")
    listed = [dict(row) for _, row in read_table(made.index).rows]
    print(f"rows in the index: {len(listed)}, different ones: {len({row['id'] for row in listed})}")
    compared = ["diff", "-r", folder / "here", folder / "ray"]
    differing = subprocess.run(compared, capture_output=True, text=True, check=False).stdout
    print(f"differing:\n{differing}" if differing else "all files are the same")
    ray.shutdown()
    cluster.shutdown()


def write_table(folder: Path, rows: int) -> Path:
    """Couples of a few people under all kinds of requests."""
    lines = ["id,father,mother,age,seed"]
    for number in range(rows):
        father, mother = PEOPLE[number % 9], PEOPLE[(number + 1 + number // 9 % 8) % 9]
        lines.append(f"r{number},{example(father)},{example(mother)},{5 + number % 60},{number}")
    path = folder / "couples.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


class Disturbance:
    """Kills processes at work every now and then, and takes a machine away in the middle."""

    def __init__(self, cluster: Cluster, second: object, rows: int) -> None:
        self.cluster, self.second, self.rows = cluster, second, rows
        self.killed, self.removed = 0, 0
        self._source = random.Random(0)
        self._lock = threading.Lock()

    def hear(self, counted: str, done: int, total: int) -> None:
        """Told by the batch how many rows are done."""
        if counted != "couples":
            return
        if self.killed < KILLS and done >= (self.killed + 1) * self.rows // (KILLS + 2):
            self._kill()
        if not self.removed and done >= self.rows // 2:
            self.removed = done
            threading.Thread(target=self.cluster.remove_node, args=(self.second,)).start()

    def _kill(self) -> None:
        """One of the processes that Ray calls by the job they are at."""
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        at_work = [int(line.split()[0]) for line in listed.splitlines() if "ray::_job" in line]
        if at_work:
            os.kill(self._source.choice(at_work), signal.SIGKILL)
            self.killed += 1


if __name__ == "__main__":
    main(*(int(word) if word.isdecimal() else word for word in sys.argv[1:]))
