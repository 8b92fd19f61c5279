"""Imports point to a lower layer only, and heavy libraries stay out of the way of ``--help``."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import decaybench
from decaybench.compare import Verdict
from decaybench.metrics import METRICS

ROOT = Path(decaybench.__file__).parent

LAYER = {
    "errors": 0,
    "paths": 0,
    "seeds": 0,
    "plugins": 0,
    "shared": 0,
    "metrics": 0,
    "schedules": 0,
    "data": 0,
    "models": 0,
    "optimizers": 0,
    "training": 1,
    "sweep": 1,
    "search": 1,
    "store": 1,
    "compare": 1,
    "findings": 2,
    "runner": 3,
    "report": 3,
    "export": 3,
    "api": 4,
    "cli": 6,
    "__main__": 7,
}
# What a room may import beside itself. L0 rooms stand on the foundation alone; L1 rooms do not know each other.
FOUNDATION = {"errors", "metrics", "paths", "plugins", "seeds", "shared"}
L1_USES = {
    "training": {"schedules", "optimizers", "data", "models"},
    "sweep": {"schedules", "optimizers", "models", "data"},
    "search": {"schedules"},
    "store": set(),
    "compare": set(),
}
# The rooms of the report, each of which may use those before it.
REPORT = ("words", "figures", "page", "dashboard", "folder")
ONLY_IN = {
    "optuna": {"search"},
    "sqlalchemy": {"store", "search"},
    "matplotlib": {"report"},
    "typer": {"cli"},
    "rich": {"cli"},
    "keras": {"schedules"},
}

WORDLESS = ("compare", "findings")


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "decaybench":
                names |= {f"decaybench.{alias.name}" for alias in node.names}
            elif node.module == "decaybench.report":
                names |= {f"decaybench.report.{alias.name}" for alias in node.names}
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


def test_the_report_s_rooms_stand_on_those_before_them():
    for place, room in enumerate(REPORT):
        used = {module for path in (ROOT / "report" / room).rglob("*.py") for module in imports(path)}
        rooms = {module.split(".")[2] for module in used if module.startswith("decaybench.report.")}
        assert rooms <= set(REPORT[: place + 1]), room
    assert {path.parent.name for path in (ROOT / "report").glob("*/*.py")} == set(REPORT)


def test_findings_are_made_of_rows_and_arrays():
    assert not {m.split(".")[0] for m in rooms()["findings"]} & {"pandas", "torch", "sqlalchemy", "jinja2"}


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


def sentences(path: Path) -> list[str]:
    """String literals of more than two words, but for docstrings and what is raised."""
    found = []

    def look(node: ast.AST) -> None:
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) > 2:
            found.append(node.value)
        for child in ast.iter_child_nodes(node):
            look(child)

    look(ast.parse(path.read_text()))
    return found


def test_what_is_found_is_data_and_no_sentence():
    # A verdict's name is its value in verdicts.csv and in scripts that read it: a word that happens to have spaces.
    names = set(get_args(Verdict))
    found = {(path.name, text) for room in WORDLESS for path in (ROOT / room).rglob("*.py") for text in sentences(path)}
    assert {(name, text) for name, text in found if text not in names} == set()
    assert any(sentences(path) for path in (ROOT / "report").rglob("*.py"))


def by_name(path: Path) -> list[int]:
    """The lines that ask what a metric is called: comparisons with a name, cases of it, tables and lists of names."""

    def names(nodes: Iterable[ast.AST | None]) -> int:
        return sum(isinstance(node, ast.Constant) and node.value in METRICS for node in nodes)

    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Compare(left=left, comparators=others) if names([left, *others]):
                found.append(node.lineno)
            case ast.MatchValue(value=value) if names([value]):
                found.append(value.lineno)
            case ast.Dict(keys=keys) if names(keys):
                found.append(node.lineno)
            case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) if names(items) > 1:
                found.append(node.lineno)
    return found


def test_no_module_asks_what_a_metric_is_called(tmp_path):
    # "loss" in keras_model is the name of Keras' own loss tracker.
    known = {ROOT / "metrics.py", ROOT / "schedules" / "keras_model.py"}
    files = [path for path in ROOT.rglob("*.py") if path not in known]
    assert {(path.relative_to(ROOT).as_posix(), line) for path in files for line in by_name(path)} == set()
    (tmp_path / "bad.py").write_text('1 if metric == "loss" else 2\n{"accuracy": 100}[m]\nm in ("accuracy", "loss")\n')
    assert by_name(tmp_path / "bad.py") == [1, 2, 3]
