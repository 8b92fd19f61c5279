"""The documentation's pages as text, and the files that their code blocks hold."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# ([\w./-]+\.(?:py|toml))(?:, continued)?\n")


def text(page: str) -> str:
    return (DOCS / page).read_text()


def section(page: str, title: str) -> str:
    """What stands below the heading ``title``, up to the next of its level."""
    return text(page).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return [code for found, code in BLOCK.findall(text(page)) if found == language]


def files(page: str) -> dict[str, str]:
    """Path -> text of the files that blocks name in their first line; blocks of one file are joined."""
    found: dict[str, str] = {}
    for language in ("python", "toml"):
        for code in blocks(page, language):
            named = NAMED.match(code)
            if named:
                found[named[1]] = found.get(named[1], "") + code
    return found
