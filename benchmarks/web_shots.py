"""The screenshots of docs/web.md: the pages with the example people.

python benchmarks/web_shots.py [--out docs/web] [--backbone morphable]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

DESKTOP = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
TABLET = {"viewport": {"width": 768, "height": 1024}, "color_scheme": "light"}
PHONE = {
    "viewport": {"width": 360, "height": 780},
    "color_scheme": "dark",
    "device_scale_factor": 2,
    "has_touch": True,
}

NAMES = {
    "Father's father": "Ernst",
    "Father's mother": "Rosa",
    "Mother's father": "Karl",
    "Mother's mother": "Ida",
    "Father": "Paul",
    "Mother": "Mia",
    "Child": "Tim",
}


def family(page: Page, address: str) -> None:
    """The example couple, a child at eight, three brothers and sisters."""
    page.set_default_timeout(300_000)
    page.goto(address)
    page.click(".couple >> nth=0")
    page.wait_for_selector("#make:enabled")
    page.click("#make")
    rest(page)
    page.fill("#count", "3")
    page.click("#sibling")
    page.wait_for_selector("#siblings li >> nth=3")
    rest(page)


def rest(page: Page) -> None:
    page.wait_for_selector("#siblings .late", state="detached")
    page.wait_for_selector("#child-picture[src^='/api/']")
    page.wait_for_selector("#progress", state="hidden")
    page.wait_for_selector("#morph-slider:enabled")


def partner(page: Page, address: str) -> None:
    """A grown-up child of the example couple, the example mother, and the father as he might be."""
    page.set_default_timeout(600_000)
    page.goto(address)
    mother = page.get_attribute(".couple >> nth=0", "data-mother")
    page.click(".couple >> nth=0")
    page.wait_for_selector("#make:enabled")
    page.click("[data-years='30']")
    page.click("#make")
    page.wait_for_selector("#child-picture[src^='/api/']")
    child = page.get_attribute("#get-png", "href")
    files = [page.request.get(f"{address.rstrip('/')}{path}").body() for path in (child, mother)]
    page.goto(f"{address}partner")
    for role, kind, data in zip(("child", "parent"), ("png", "jpeg"), files, strict=True):
        upload = {"name": f"{role}.{kind}", "mimeType": f"image/{kind}", "buffer": data}
        page.set_input_files(f"#known-{role}-file", upload)
    page.wait_for_selector("#make:enabled")
    page.check("[name=sex][value=male]", force=True)
    page.click("#make")
    page.wait_for_selector("#other-picture:visible")
    page.wait_for_selector("#progress", state="hidden")


def tree(page: Page, address: str) -> None:
    """Two example couples as grandparents, with names and ages."""
    page.set_default_timeout(600_000)
    page.goto(f"{address}tree")
    page.click("#try")
    page.wait_for_selector("#make:enabled")
    for before, name in NAMES.items():
        page.fill(f'input.name[aria-label="Name of {before}"]', name)
        page.keyboard.press("Tab")
    page.click("#make")
    page.wait_for_selector("#drawing:visible")
    page.wait_for_selector("#progress", state="hidden")


def same(page: Page, browser: Browser, device: dict) -> Page:
    """The same family on another device."""
    other = browser.new_context(**device)
    other.add_cookies(page.context.cookies())
    found = other.new_page()
    found.set_default_timeout(600_000)
    kept = page.evaluate("JSON.stringify({ ...sessionStorage })")
    found.goto(page.url)
    found.evaluate(
        "kept => { Object.assign(sessionStorage, JSON.parse(kept)); history.replaceState(null, '') }", kept
    )
    found.reload()
    return found


def top(page: Page, path: Path) -> None:
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.mouse.move(0, 0)
    shoot(page, path)


def shoot(page: Page, path: Path) -> None:
    page.wait_for_timeout(300)
    page.screenshot(path=path, type="jpeg", quality=80)
    print(path, path.stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/web"))
    parser.add_argument("--backbone", default="morphable")
    wanted = parser.parse_args()
    out = wanted.out
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "kinblend.cli", "serve", "--port", "0", "--quiet", "--backbone", wanted.backbone]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            desktop = browser.new_page(**DESKTOP)
            family(desktop, address)
            top(desktop, out / "desktop.jpg")
            desktop.click("#expert > summary")
            desktop.locator("#heat canvas").first.wait_for()
            desktop.locator("#heat").scroll_into_view_if_needed()
            shoot(desktop, out / "made.jpg")
            tablet = browser.new_page(**TABLET)
            family(tablet, address)
            top(tablet, out / "tablet.jpg")
            phone = browser.new_page(**PHONE)
            family(phone, address)
            top(phone, out / "phone.jpg")
            phone.click("#expert > summary")
            phone.locator("[name=blender]").first.scroll_into_view_if_needed()
            shoot(phone, out / "phone-experts.jpg")
            page = browser.new_page(**DESKTOP)
            partner(page, address)
            top(page, out / "partner.jpg")
            page = browser.new_page(**DESKTOP)
            tree(page, address)
            top(page, out / "tree.jpg")
            page.locator("#drawn").screenshot(path=out / "tree-drawn.jpg", type="jpeg", quality=80)
            page = same(page, browser, PHONE)
            page.wait_for_selector("#drawing:visible")
            page.locator("#drawn").scroll_into_view_if_needed()
            shoot(page, out / "phone-tree.jpg")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
