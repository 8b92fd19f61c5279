"""Shell completion, which imports nothing heavy, so that it is immediate."""

import ast
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from decaybench.errors import UserError
from decaybench.paths import expanded

PACKAGE = Path(__file__).parents[1]


def sweeps(incomplete: str) -> list[str]:
    """Names of shipped sweeps and paths of TOML files that begin with ``incomplete``."""
    folder = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
    try:
        here = sorted(f"{folder}{file.name}" for file in expanded(folder or ".", "SWEEP").glob("*.toml"))
    except (OSError, UserError):
        here = []
    return [name for name in (*shipped(), *here) if name.startswith(incomplete)]


def shipped() -> list[str]:
    """The names that `decaybench.sweep.shipped` returns; that package needs torch."""
    for folder in (PACKAGE / "sweeps", PACKAGE.parents[1] / "sweeps"):
        if folder.is_dir():
            return sorted(file.stem for file in folder.glob("*.toml"))
    return []


def formats(incomplete: str) -> list[str]:
    """The formats of ``export --format``."""
    return [name for name in ("torch", "keras", "toml", "all") if name.startswith(incomplete)]


def kinds(incomplete: str) -> list[str]:
    """Names of schedules that begin with ``incomplete``."""
    listed = [*built_in(), *sorted(entry.name for entry in entry_points(group="decaybench.schedules"))]
    return [kind for kind in listed if kind.startswith(incomplete)]


def built_in() -> Iterator[str]:
    """The kinds in both lists ``KINDS = (...)``, read from the source, because importing them would load torch."""
    for family in ("fixed", "reactive"):
        source = (PACKAGE / "schedules" / family / "__init__.py").read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Tuple):
                for listed in node.value.elts:
                    if isinstance(listed, ast.Name):
                        yield re.sub(r"(?<!^)(?=[A-Z])", "_", listed.id).lower()  # kinds are named after their classes
