"""How soon the page is there, and how soon a slider shows: Debian's chromium on `kinblend serve`.

    python benchmarks/web_page.py [--times 20] [--backbone morphable]

First contentful paint of a fresh browser context; and from the input of the age slider to the second frame after the
new child's picture is in place, measured inside the page.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time

import httpx2
from playwright.sync_api import Page, sync_playwright

from kinblend.cli.demo import FATHER, MOTHER, example

PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) resolve(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""
MOVE = """(value) => new Promise((resolve) => {
  const picture = document.getElementById("child-picture");
  const slider = document.getElementById("age");
  const started = performance.now();
  const seen = new MutationObserver(() => {
    if (!picture.src.startsWith("blob:")) return;
    seen.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - started)));
  });
  seen.observe(picture, { attributes: true, attributeFilter: ["src"] });
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""


def paints(browser, address: str, times: int) -> list[float]:
    found = []
    for _ in range(times):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(address)
        found.append(page.evaluate(PAINT))
        context.close()
    return found


def moves(page: Page, address: str, times: int) -> dict[str, list[float]]:
    """From rest, the full picture and the strip done; and one right after the other, as a hand moves a slider."""
    page.goto(address)
    for role, person in (("father", FATHER), ("mother", MOTHER)):
        page.set_input_files(f"#{role} input[type=file]", str(example(person)))
    page.wait_for_selector("#make:enabled")
    page.click("#make")
    found: dict[str, list[float]] = {"from rest": [], "in a row": []}
    for number in range(times):
        page.wait_for_selector("#child-picture[src^='/api/']")
        page.wait_for_selector("#morph-slider:enabled")
        years = 4 + 3 * (number % 20)
        found["from rest"].append(page.evaluate(MOVE, years))
        found["in a row"] += [page.evaluate(MOVE, years + step) for step in (1, 2)]
    return found


def line(name: str, values: list[float]) -> None:
    ordered = sorted(values)
    slow = ordered[int(0.95 * (len(ordered) - 1))]
    print(f"{name:28} median {statistics.median(values):4.0f} ms, 95 % {slow:4.0f} ms, slowest {ordered[-1]:4.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--backbone", default="morphable")
    wanted = parser.parse_args()
    times, backbone = wanted.times, wanted.backbone
    command = [sys.executable, "-m", "kinblend.cli", "serve", "--port", "0", "--quiet", "--backbone", backbone]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    try:
        while httpx2.get(f"{address}readyz").status_code != 200:
            time.sleep(0.2)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            line("first contentful paint", paints(browser, address, times))
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(120_000)
            for name, values in moves(page, address, times).items():
                line(f"slider to picture, {name}", values)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
