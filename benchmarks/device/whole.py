"""The machine, the tests that need a GPU, and a whole sweep on it."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.device.setting import Measurement, Setting

ROOT = Path(__file__).parents[2]
TESTS_S = 50  # seconds; less than the section's, so that pytest ends before its section's process does
BUDGET = {"trials": 16, "repeats": 1, "confirm_seeds": 4}
SWEEP = {
    "name": "on-a-gpu",
    "question": "Does a whole sweep run on this GPU?",
    "task": {"data": "digits", "model": "small-cnn", "epochs": 1, "batch_size": 64},
    "search": {"learning_rate": {"low": 1e-3, "high": 1.0, "log": True}},
    "strategies": {"cosine": {}, "exp_loss": {}},
}


def environment(setting: Setting) -> Iterator[Measurement]:
    """The device and the versions that the numbers depend on."""

    def found() -> Mapping[str, object]:
        facts: dict[str, object] = {"python": platform.python_version(), "torch": torch.__version__}
        for name in ("numpy", "pytest", "optuna", "sqlalchemy", "scikit-learn"):
            try:
                facts[name] = version(name)
            except PackageNotFoundError:
                facts[name] = "not installed"
        if not setting.cuda:
            return {"device": f"{platform.machine()} CPU", **facts}
        about = torch.cuda.get_device_properties(setting.device)
        versions = {"CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version()}
        memory = f"{about.total_memory / 2**30:.0f} GiB"
        return {
            "device": about.name,
            "memory": memory,
            "capability": f"{about.major}.{about.minor}",
            **versions,
            **facts,
        }

    yield {}, found


def tests(setting: Setting) -> Iterator[Measurement]:
    """The tests that need a CUDA device."""
    yield {}, partial(_pytest, setting)


def _pytest(setting: Setting) -> Mapping[str, object]:
    if not setting.cuda:
        return {"left out": "needs a CUDA device"}
    if find_spec("pytest") is None:
        return {"left out": "needs pytest"}
    files = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.cuda" in path.read_text()]
    options = ["-m", "cuda", "-q", "--tb=short", "-p", "no:cacheprovider", "-o", "minversion=0"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *filter(None, sys.path)])}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, files)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TESTS_S,
    )
    said = ran.stdout.strip() or ran.stderr.strip()
    return {"exit code": ran.returncode, "result": said.splitlines()[-1] if said else "", "output": said[-6000:]}


def sweep(setting: Setting) -> Iterator[Measurement]:
    """A small sweep from its file to its report."""
    budget = {"trials": 2, "repeats": 1, "confirm_seeds": 1} if setting.quick else BUDGET
    yield {"budget": ", ".join(f"{name} = {value}" for name, value in budget.items())}, partial(_run, setting, budget)


def _run(setting: Setting, budget: Mapping[str, int]) -> Mapping[str, object]:
    try:
        import decaybench.api as api  # needs Optuna, SQLAlchemy and more, which may be missing
    except ModuleNotFoundError as error:
        return {"left out": f"needs {error.name}"}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        outcome = api.run(
            {**SWEEP, "budget": budget},
            storage=f"sqlite:///{folder}/sweep.db",
            studies=folder,
            device=setting.device.type,
            workers=1,
        )
        return {"seconds": round(time.perf_counter() - started, 1), "runs": outcome.trained}
