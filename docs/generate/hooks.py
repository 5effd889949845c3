"""What mkdocs calls while it builds the site: adds the generated pages, and files of the repository that others link
to, and makes links and lists mean what they mean on a code host."""

import os
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs"))

from generate import commands, formats, options, python_api  # noqa: E402

# Files beside docs/ that pages link to, and where they are in the site.
PUBLISHED = {
    "CHANGELOG.md": "about/changelog.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "SECURITY.md": "about/security.md",
    "LICENSES/README.md": "about/licences.md",
    "LICENSES/NOTICE.md": "about/notice.md",
    "examples/kinblend-regions/README.md": "about/example-blender.md",
    "examples/kinblend-thumbnails/README.md": "about/example-backbone.md",
    "examples/kinblend-pixels/README.md": "about/example-identity-network.md",
    "examples/kinblend-lanczos/README.md": "about/example-upscaler.md",
}
SOURCES = {place: source for source, place in PUBLISHED.items()}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.M | re.S)
ITEM = re.compile(r"^ *(?:[-*]|\d+\.) ")


def generated() -> dict[str, str]:
    """All generated pages: path → Markdown."""
    return commands.pages() | options.pages() | formats.pages() | python_api.pages()


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    pages = generated() | {place: (ROOT / source).read_text("utf-8") for place, source in SOURCES.items()}
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    place = page.file.src_uri
    source = SOURCES.get(place, f"docs/{place}")
    return outside_fences(markdown, lambda text: spaced(relinked(text, source, place)))


def outside_fences(text: str, change: Any) -> str:
    """The text with everything but its code blocks changed."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def relinked(text: str, source: str, place: str) -> str:
    """Links between files of the repository as links between pages of the site; what is no page becomes plain text.

    source: the file's path in the repository. place: the page's in the site.
    """

    def link(found: re.Match[str]) -> str:
        said, target, anchor = found[1], found[2], found[3] or ""
        if re.match(r"[a-z]+:", target):
            return found[0]
        meant = os.path.normpath(PurePosixPath(source).parent / target)
        there = PUBLISHED.get(meant) or (meant.removeprefix("docs/") if meant.startswith("docs/") else "")
        if not there or not PurePosixPath(there).suffix:
            return said if "`" in said else f"`{meant}`"
        return f"[{said}]({os.path.relpath(there, PurePosixPath(place).parent)}{anchor})"

    return LINK.sub(link, text)


def spaced(text: str) -> str:
    """An empty line before each list, which Python-Markdown asks for; bars in `code` without their backslash."""
    lines: list[str] = []
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        if ITEM.match(line) and before.strip() and not before.startswith(" ") and not ITEM.match(before):
            lines.append("")
        lines.append(re.sub(r"`[^`]*`", lambda found: found[0].replace("\\|", "|"), line))
    return "\n".join(lines)
