"""A process in which METRICS has one more entry, as an edit of metrics.py would add it: the share of errors."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import decaybench
from decaybench import metrics


def register() -> None:
    """Add the metric ``error`` before any other module has read METRICS, from which they make their columns."""
    assert {name for name in sys.modules if name.startswith("decaybench.")} == {"decaybench.metrics"}
    assert "torch" not in sys.modules
    error = replace(
        metrics.METRICS["accuracy"],
        name="error",
        direction="minimize",
        measure=lambda logits, labels: (logits.argmax(2) != labels).sum(1),
        chance=lambda majority, classes: 1 - majority,
    )
    metrics.METRICS = MappingProxyType({**metrics.METRICS, error.name: error})  # type: ignore[misc]


def with_it(script: str, *arguments: str) -> Any:
    """Run the script in a new process with the metric; returns what it prints as JSON in its last line."""
    paths = [str(Path(decaybench.__file__).parents[1]), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import new_metric; new_metric.register()\n{script}", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
