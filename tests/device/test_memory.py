"""The most memory that a process had."""

import subprocess
import sys

PARENT = """
import subprocess, sys
held = b"x" * (600 << 20)
print(subprocess.run([sys.executable, "-c", sys.argv[1]], capture_output=True, text=True, check=True).stdout)
"""
CHILD = """
from kinblend.device.memory import peak_rss
before = peak_rss()
held = b"x" * (200 << 20)
print(before, peak_rss())
"""


def test_the_peak_is_the_processs_own_and_not_of_the_one_that_started_it() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT, CHILD], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 10 << 20 < before < 500 << 20
    assert after - before > 150 << 20
