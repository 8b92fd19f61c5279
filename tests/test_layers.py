"""Imports point to a lower layer only, and heavy libraries stay out of the way of ``--help``."""

import ast
import subprocess
import sys
from pathlib import Path

import decaybench

ROOT = Path(decaybench.__file__).parent

LAYER = {
    "errors": 0,
    "paths": 0,
    "seeds": 0,
    "plugins": 0,
    "shared": 0,
    "schedules": 0,
    "data": 0,
    "models": 0,
    "optimizers": 0,
    "training": 1,
    "sweep": 1,
    "search": 1,
    "store": 1,
    "compare": 1,
    "runner": 2,
    "report": 2,
    "export": 2,
    "api": 3,
    "cli": 4,
    "__main__": 5,
}
# What a room may import beside itself. L0 rooms stand on the foundation alone; L1 rooms do not know each other.
FOUNDATION = {"errors", "paths", "plugins", "seeds", "shared"}
L1_USES = {
    "training": {"schedules", "optimizers", "data", "models"},
    "sweep": {"schedules", "optimizers"},
    "search": {"schedules"},
    "store": set(),
    "compare": set(),
}
ONLY_IN = {
    "optuna": {"search"},
    "sqlalchemy": {"store", "search"},
    "matplotlib": {"report"},
    "typer": {"cli"},
    "rich": {"cli"},
    "keras": {"schedules"},
}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "decaybench":
                names |= {f"decaybench.{alias.name}" for alias in node.names}
            elif node.module:
                names.add(node.module)
    return names


def rooms() -> dict[str, set[str]]:
    """room -> every module that any of its files imports"""
    found: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room != "__init__":
            found.setdefault(room, set()).update(imports(path))
    return found


def ours(modules: set[str]) -> set[str]:
    return {m.split(".")[1] for m in modules if m.startswith("decaybench.")}


def test_every_room_is_known():
    assert set(rooms()) == set(LAYER)


def test_imports_point_down():
    for room, modules in rooms().items():
        for other in ours(modules) - {room}:
            if LAYER[room] == 0:
                allowed = other in FOUNDATION
            elif LAYER[room] == 1:
                allowed = other in FOUNDATION | L1_USES[room]
            else:
                allowed = LAYER[other] < LAYER[room]
            assert allowed, f"{room} imports {other}"


def test_libraries_stay_in_their_rooms():
    for room, modules in rooms().items():
        for library in {m.split(".")[0] for m in modules} & set(ONLY_IN):
            assert room in ONLY_IN[library], f"{room} imports {library}"


def test_help_loads_nothing_heavy():
    code = """
import sys
from decaybench.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
print(sorted({"torch", "pandas", "matplotlib", "optuna", "sqlalchemy", "numpy", "scipy"} & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]"), out.stdout
