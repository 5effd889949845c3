"""Every link between files of the repository leads somewhere, its anchor included, and every picture is there."""

import os
import re
from functools import cache
from pathlib import Path

import pytest
from site_pages import DOCS, ROOT, generated

PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG")),
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "LICENSES").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
FENCES = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(path: Path) -> str:
    """A page's Markdown; of those that are made from the code as well."""
    if path.is_file():
        return path.read_text("utf-8")
    return generated().get(os.path.relpath(path, DOCS), "")


def exists(path: Path) -> bool:
    return path.exists() or os.path.relpath(path, DOCS) in generated()


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts and Python-Markdown make them."""
    titles = re.findall(r"^#+ (.+)$", FENCES.sub("", text_of(path)), re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", FENCES.sub("", page.read_text("utf-8")))):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        meant = Path(os.path.normpath(page.parent / path)) if path else page
        if not exists(meant) or (anchor and anchor not in anchors(meant)):
            broken.append(target)
    assert broken == []


def test_links_of_generated_pages_lead_somewhere() -> None:
    broken = {
        f"{place}: {target}"
        for place, text in generated().items()
        for target in LINK.findall(FENCES.sub("", text))
        if not re.match(r"[a-z]+:", target) and not exists(Path(os.path.normpath(DOCS / place / ".." / target)))
    }
    assert broken == set()


def test_every_page_is_in_the_navigation() -> None:
    """And everything in the navigation is a page, or made from the code."""
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    named = set(re.findall(r"[\w/.-]+\.md", nav))
    from generate.hooks import SOURCES

    pages = {os.path.relpath(page, DOCS) for page in DOCS.rglob("*.md")} | set(generated()) | set(SOURCES)
    assert named == pages


def test_no_page_that_is_generated_is_committed() -> None:
    assert [place for place in generated() if (DOCS / place).exists()] == []


def test_pictures_have_descriptions() -> None:
    lacking = [str(page) for page in PAGES if "![](" in page.read_text("utf-8")]
    assert lacking == []
