"""The page's own files, as written: a schedule, a reactive schedule, a model and a folder of images, in real runs."""

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

import decaybench
from decaybench import UserError
from decaybench.cli import main
from decaybench.data import load_dataset
from decaybench.schedules import SCHEDULES, trace
from docs.pages import files

PAGE = "bring-your-own.md"
SOURCE = Path(decaybench.__file__).parents[1]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the page's files, and the page's package installed by pip beside them."""
    folder = tmp_path_factory.mktemp("own")
    for name, code in files(PAGE).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(code)
    # No network in a test: the build backend is in this environment, and so is decaybench itself.
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), "./my-decay"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def start(work, *command):
    paths = os.pathsep.join([str(work / "site"), str(SOURCE)])
    env = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    env.pop("DECAYBENCH_STORAGE", None)
    done = subprocess.run([sys.executable, *command], cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def here(work, monkeypatch):
    """This process as one that is started in the folder, with the package installed."""
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(work / "site")
    monkeypatch.delenv("DECAYBENCH_STORAGE", raising=False)
    vars(SCHEDULES).pop("_all", None)  # what was installed until now
    yield
    vars(SCHEDULES).pop("_all", None)


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    return out


def test_the_page_has_the_files_it_speaks_of(work):
    assert set(files(PAGE)) == {
        *("my-decay/my_decay.py", "my-decay/pyproject.toml", "write_images.py", "convert.py"),
        *("own-images.toml", "own-model.toml"),
    }


def test_a_schedule_takes_no_more_than_15_lines(work):
    module = ast.parse((work / "my-decay" / "my_decay.py").read_text())
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    parabola = classes["Parabola"]
    assert parabola.end_lineno - parabola.lineno + 2 <= 15  # with its decorator


def test_the_schedule_is_in_the_catalogue(work, here, capsys):
    shown = start(work, "-m", "decaybench", "schedules", "parabola")
    assert "parabola (fixed)" in shown and "scale = (1 - (t/T) ** 2) ** power" in shown and "0.5 to 2" in shown
    assert "cautious" in call(capsys, "schedules")


def test_the_schedules_scales(here):
    parabola = SCHEDULES["parabola"](power=2.0)
    assert torch.allclose(trace(parabola, 4, 2), torch.tensor([1, (15 / 16) ** 2, 0.75**2, (7 / 16) ** 2]).double())
    cautious = SCHEDULES["cautious"](gain=1.0)
    assert torch.allclose(trace(cautious, 3, 1, [3.0, 1.0, 0.0]), torch.tensor([0.25, 0.5, 1.0]).double())


def test_the_folder_of_images_runs(work, here, capsys, undrawn):
    runpy.run_path("write_images.py", run_name="__main__")
    done = call(capsys, "run", "own-images.toml", "--data", "data")
    assert done.startswith("own-images: complete")
    assert (work / "studies" / "own-images" / "report" / "index.html").is_file()


def test_other_types_are_converted(work, here):
    (work / "raw").mkdir()
    for part in ("train", "test"):
        images = pq.read_table(work / "data" / "stripes" / f"{part}.parquet")["image"].to_pylist()[:60]
        table = pd.DataFrame(
            {"image": [i["bytes"] for i in images], "label": ["dog", "cat"] * 30}, index=range(60, 0, -1)
        )
        table.to_parquet(work / "raw" / f"{part}.parquet")
    runpy.run_path("convert.py", run_name="__main__")
    dataset = load_dataset("pets", work / "data")
    with pytest.raises(UserError, match=r"'image': binary, 'label': \w*string"):
        load_dataset("raw", work)
    assert dataset.train_labels.tolist() == dataset.test_labels.tolist() == [1, 0] * 30


def test_the_model_and_the_schedules_run(work, here, capsys, undrawn):
    done = call(capsys, "run", "own-model.toml")
    assert done.startswith("own-model: complete")
    page = (work / "studies" / "own-model" / "report" / "index.html").read_text()
    assert all(word in page for word in ("parabola", "cautious", "tiny-resnet"))
