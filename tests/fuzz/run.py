"""`make trust`: every threat, and a table of what was survived.

python tests/fuzz/run.py [--share 0.1] [--only NAME …] [--write SECURITY.md]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))
os.environ.setdefault("KINBLEND_BACKBONE", "morphable")

from fuzz.threats import THREATS  # noqa: E402 (it is found by the path above)

BEGIN, END = "<!-- make trust -->", "<!-- end of make trust -->"


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the whole; 1 takes a quarter of an hour")
    parser.add_argument("--only", nargs="+", choices=THREATS, help="some of the threats")
    parser.add_argument("--write", type=Path, help="a file with a place for the table")
    words = parser.parse_args()
    table = ["| threat | tries | survived | seconds | |", "|---|---|---|---|---|"]
    rejected = 0
    for name in words.only or THREATS:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            found = THREATS[name](words.share, Path(folder))
        for line in (*found.failures, *found.late):
            print(f"{name}: {line}", file=sys.stderr)
        rejected += len(found.failures) + len(found.late)
        survived = found.tries - len(found.failures)
        table.append(f"| {name} | {found.tries} | {survived} | {time.monotonic() - begun:.0f} | {found.note} |")
        print(table[-1], flush=True)
    print("\n".join(["", *table]))
    if words.write:
        before, _, rest = words.write.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        words.write.write_text(f"{before}{BEGIN}\n{chr(10).join(table)}\n{END}{after}", "utf-8")
    sys.exit(min(rejected, 1))


if __name__ == "__main__":
    main()
