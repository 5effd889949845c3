"""The screenshots of docs/web.md: the page with two synthetic people of the package `openpeople`.

python benchmarks/web_shots.py [--out docs/web]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from kinblend.cli.demo import FATHER, MOTHER, example

DESKTOP = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2}


def family(page: Page, address: str) -> None:
    """Both parents, a child at eight, three brothers and sisters."""
    page.set_default_timeout(300_000)
    page.goto(address)
    for role, person in (("father", FATHER), ("mother", MOTHER)):
        page.set_input_files(f"#{role} input[type=file]", str(example(person)))
    page.click("#make:enabled")
    rest(page)
    page.fill("#count", "3")
    page.click("#sibling")
    page.wait_for_selector("#siblings button >> nth=3")
    rest(page)


def rest(page: Page) -> None:
    page.wait_for_selector("#child-picture[src^='/api/']")
    page.wait_for_selector("#morph-slider:enabled")


def top(page: Page, path: Path) -> None:
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    shoot(page, path)


def shoot(page: Page, path: Path) -> None:
    page.wait_for_timeout(300)
    page.screenshot(path=path, type="jpeg", quality=82)
    print(path, path.stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/web"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "kinblend.cli", "serve", "--port", "0", "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            desktop = browser.new_page(**DESKTOP)
            family(desktop, address)
            top(desktop, out / "desktop.jpg")
            desktop.locator("#heat").scroll_into_view_if_needed()
            shoot(desktop, out / "made.jpg")
            phone = browser.new_page(**PHONE)
            family(phone, address)
            top(phone, out / "phone.jpg")
            phone.locator("[name=blender]").first.scroll_into_view_if_needed()
            shoot(phone, out / "phone-sliders.jpg")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
