#!/usr/bin/env python3
"""For mdBook: takes away links that leave docs/. With a folder as its argument: checks every link of the site in it."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag


def within(text: str) -> str:
    """The text with the words of links that leave docs/ in the place of the links."""
    return re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", text)


def preprocess() -> None:
    _, book = json.load(sys.stdin)

    def visit(item: object) -> None:
        if isinstance(item, dict) and "Chapter" in item:
            chapter = item["Chapter"]
            chapter["content"] = within(chapter["content"])
            for sub in chapter["sub_items"]:
                visit(sub)

    for item in book.get("items", book.get("sections", [])):
        visit(item)
    json.dump(book, sys.stdout)


class Page(HTMLParser):
    """The links of a page, and the names that a link can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in ("id", "name") and value:
                self.names.add(value)
            elif key in ("href", "src") and value and tag in ("a", "img"):
                self.links.append(value)


def check(folder: Path) -> None:
    pages = {path: Page(path.read_text()) for path in folder.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            place, name = urldefrag(unquote(link))
            target = (path.parent / place).resolve() if place else path
            if not target.exists() or name and target in pages and name not in pages[target].names:
                dead.append(f"{path.relative_to(folder)}: {link}")
    sys.exit("\n".join(["links that lead nowhere:", *sorted(set(dead))]) if dead else None)


if __name__ == "__main__":
    if sys.argv[1:2] == ["supports"]:
        sys.exit(0)
    if len(sys.argv) > 1:
        check(Path(sys.argv[1]).resolve())
    else:
        preprocess()
