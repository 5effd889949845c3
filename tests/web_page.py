"""What people do at the page: Debian's chromium, a server of its own, the real engine."""

import io
from pathlib import Path
from typing import Any

from web_client import photograph

from kinblend.cli.demo import FATHER, MOTHER

ORDERS, PREVIEWS, PHOTOS = "**/api/v1/children", "**/api/v1/previews", "**/api/v1/photos"


def as_upload(data: bytes, name: str = "photo.jpg") -> dict[str, Any]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def give(page, role: str, data: bytes) -> None:
    page.set_input_files(f"#{role}-file", as_upload(data))


def give_both(page) -> None:
    give(page, "father", photograph(FATHER))
    give(page, "mother", photograph(MOTHER))
    page.wait_for_selector("#make:enabled")


def make_child(page) -> None:
    give_both(page)
    page.click("#make")
    settled(page)


def make_family(page, more: int = 2) -> None:
    """A child of the strategy that is chosen first, and brothers and sisters."""
    make_child(page)
    page.fill("#count", str(more))
    page.click("#sibling")
    page.wait_for_selector(f"#siblings li >> nth={more}")
    settled(page)


def settled(page) -> None:
    """Everyone is there in full, the shown one's morph too."""
    page.wait_for_selector("#siblings .late", state="detached")
    page.wait_for_selector("#child-picture[src^='/api/']")
    page.wait_for_selector("#progress", state="hidden")
    page.wait_for_selector("#morph-slider:enabled")


def sent_after(page, action) -> dict[str, Any]:
    """What is ordered once an action has come to rest."""
    with page.expect_request(ORDERS) as sent:
        action()
    settled(page)
    return sent.value.post_data_json


def open_experts(page) -> None:
    if not page.evaluate("document.getElementById('expert').open"):
        page.click("#expert > summary")


def names(page) -> list[str]:
    return page.locator("#siblings li span").all_inner_texts()


def thumbnails(page) -> list[str]:
    return page.locator("#siblings img").evaluate_all("images => images.map(image => image.getAttribute('src'))")


def shown(page) -> bytes:
    """What the child's frame looks like."""
    return page.locator("#child .frame").screenshot()


def downloaded(page, link: str) -> io.BytesIO:
    with page.expect_download() as download:
        page.click(link)
    return io.BytesIO(Path(download.value.path()).read_bytes())
