"""The benchmark's command at its smallest; no time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import ours, plain, usual
from benchmarks import work as benchmarks_work
from benchmarks.__main__ import main
from benchmarks.device import __main__ as device
from benchmarks.device.convolutions import Layer, random_layer, ways
from benchmarks.device.setting import Setting
from benchmarks.work import VALIDATION, Work, load, loaded
from decaybench.data import Dataset

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


@pytest.fixture
def residual(monkeypatch):
    """Work on residual nets with images of 8x8 pixels and three channels."""
    drawn = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (VALIDATION + 64, 3, 8, 8), dtype=torch.uint8, generator=drawn)
    labels = torch.arange(len(images)) % 4
    made = Dataset("noise", images, labels, images[:8], labels[:8], 4, "", VALIDATION)
    monkeypatch.setattr(benchmarks_work, "load_dataset", lambda name, root: made)
    loaded.cache_clear()
    yield lambda model: Work(model, "noise", 16, 32, 2, 2, "cpu", None, ("crop4", "flip"))
    loaded.cache_clear()


@pytest.mark.parametrize("name", usual.NETS)
def test_the_usual_residual_nets_compute_what_ours_do(residual, name):
    work, images = residual(name), torch.randn(4, 3, 8, 8)
    mine = plain._model(work, seed=1)
    theirs = plain.models.build(name, load(work).shape, load(work).classes, 1)
    torch.testing.assert_close(mine(images), theirs(images))
    torch.testing.assert_close(mine.eval()(images), theirs.eval()(images))  # after one update of the statistics


def test_runs_on_augmented_images_are_the_same_in_memory_and_in_decaybench(residual):
    work = residual("resnet8")
    together = ours.one_stack(work, "fp32", list(enumerate(work.learning_rates)), judge=True)
    for seed, (rate, mine) in enumerate(zip(work.learning_rates, together, strict=True)):
        theirs = plain.one_run(work, "fp32", seed, rate, judge=True)
        assert theirs.train_loss == pytest.approx(mine.train_loss, abs=2e-4)
        assert theirs.accuracy == pytest.approx(mine.accuracy, abs=2e-2)


def test_the_usual_transforms_take_a_window_mirror_it_and_normalise(residual):
    data = load(residual("resnet8"))
    changes = usual.RandomCrop(8, padding=1), usual.RandomHorizontalFlip()
    transform = usual.Compose(*changes, usual.ToFloat(), usual.Normalize(data.mean, data.std))
    images = usual.Images(data.train.images, data.train.labels, transform)
    bordered = torch.nn.functional.pad(data.train.images[0], [1] * 4)
    windows = [bordered[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
    expected = [plain.normalise(w, data.mean, data.std, torch.float32) for one in windows for w in (one, one.flip(2))]
    found = set()
    for _ in range(200):
        image, label = images[0]
        assert label == data.train.labels[0]
        found |= {k for k, one in enumerate(expected) if torch.allclose(image, one)}
    assert found == set(range(18))


def on_a_cpu(monkeypatch, folder, *arguments):
    """What ``python -m benchmarks.device`` writes without a GPU: its rows and its page."""
    options = ["--device", "cpu", "--quick", "--out", str(folder), *arguments]
    monkeypatch.setattr(sys, "argv", ["benchmarks.device", *options])
    assert device.main() == 0
    return json.loads((folder / "device.json").read_text())["rows"], (folder / "device.md").read_text()


def test_every_section_for_a_gpu_measures_something_on_a_cpu(tmp_path, monkeypatch, capsys):
    sections = [name for name in device.SECTIONS if name != "sweep"]  # sweeps have tests of their own
    rows, page = on_a_cpu(monkeypatch, tmp_path, "--here", "--sections", *sections)
    assert page == capsys.readouterr().out
    assert "no measurement of a GPU" in page
    assert not [row for row in rows if "error" in row]
    assert [row["section"] for row in rows if "left out" in row] == [device.SECTIONS["tests"].title]
    assert {row["section"] for row in rows} == {device.SECTIONS[name].title for name in sections}
    # What the GPU is asked holds on a CPU in fp32.
    assert all(row["same bits"] for row in rows if "same bits" in row and row["precision"] == "fp32")
    assert [row["within 1e-08"] for row in rows if "within 1e-08" in row] == [True] * 3


def test_an_error_or_too_little_time_costs_a_section_and_keeps_what_was_measured(tmp_path, monkeypatch):
    def failing(setting):
        yield {"what": "first"}, lambda: {"value": 1}
        yield {"what": "second"}, lambda: 1 / 0
        yield {"what": "third"}, lambda: os._exit(3)

    monkeypatch.setitem(device.SECTIONS, "bits", device.Planned("Failing", failing, 20))
    rows, page = on_a_cpu(monkeypatch, tmp_path, "--sections", "bits", "environment")
    assert rows[0] == {"section": "Failing", "what": "first", "value": 1}
    assert rows[1]["error"] == "ZeroDivisionError: division by zero"
    assert rows[2]["error"].startswith("the process ended with 3")
    assert rows[3]["torch"] == torch.__version__ and "### Environment" in page
    assert on_a_cpu(monkeypatch, tmp_path, "--here", "--seconds=0", "--sections=bits")[0][0]["left out"]


@pytest.mark.parametrize("layer", [Layer(3, 4, 8, 3, 1, 1), Layer(4, 6, 8, 1, 2, 0)], ids=str)
def test_every_way_computes_the_same_convolutions(layer):
    x, weights = random_layer(layer, 3, 2, device=torch.device("cpu"), dtype=torch.float64)
    found = []
    for way in ways(Setting(torch.device("cpu"), quick=True)).values():
        forward, leaves = way(layer, x, weights)
        made = forward()
        gradients = torch.autograd.grad(made.square().sum(), leaves)
        found.append(torch.cat([g.flatten() for g in gradients if g.shape[-1] == layer.kernel]))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])
