"""The benchmark's command at its smallest; no time is asserted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main

ROOT = Path(__file__).parents[1]
SMALLEST = ["--nets", "small-cnn", "--precisions", "fp32", "--rounds=1", "--samples=128", "--epochs=2", "--runs=2"]


def two_cores():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},  # on a busy machine, threads that spin only hold up each other
        preexec_fn=two_cores,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.soak
def test_all_variants_do_the_same_work_and_the_results_go_into_the_page(tmp_path):
    page = tmp_path / "README.md"
    page.write_text((ROOT / "benchmarks/README.md").read_text())
    before, after = page.read_text().split("<!-- results")[0], page.read_text().split("<!-- end of results -->")[1]
    ran = benchmarks(*SMALLEST, "--matrix=64", "--write", str(page))
    assert ran.returncode == 0, ran.stderr

    rows = [line.strip("|").split("|") for line in ran.stdout.splitlines() if line.startswith("| fp32 |")]
    assert [row[1].split()[0] for row in rows] == ["(a)", "(b)", "(c)", "(d)"]
    # The same runs in every variant: seeds, order of examples and learning rates, so also what they end with.
    loss, accuracy = (float(value) for value in rows[0][-2:])
    for row in rows:
        assert float(row[-2]) == pytest.approx(loss, abs=2e-4)
        assert float(row[-1]) == pytest.approx(accuracy, abs=2e-3)
    # Multiply-adds of conv 16, conv 32, linear 64, linear 10; the first layer's images need no gradient.
    adds = 2 * 64 * 16 * 9 + 3 * (16 * 32 * 16 * 9 + 128 * 64 + 64 * 10)
    assert f"{2 * adds / 1e6:.2f} MFLOP per training sample" in ran.stdout

    written = page.read_text()
    assert written.startswith(before) and written.endswith(f"<!-- end of results -->{after}")
    assert written.split(before)[1].count(ran.stdout.strip()) == 1


def test_data_that_is_missing_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--nets", "lenet", "--data", str(tmp_path / "nowhere")])
    assert main() == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1
