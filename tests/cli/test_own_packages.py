"""``decaybench check`` and ``run`` with models and datasets of an installed package that do not work."""

import pytest

from decaybench.cli import main

CODE = """
import sys
import torch
from torch import nn

class Pair(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        return self.head(x.flatten(1)), x

def recurrent(shape, classes):
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.head = nn.GRU(8, 6, batch_first=True), nn.Linear(6, classes)

        def forward(self, x):
            return self.head(self.cells(x.squeeze(1))[0][:, -1])

    return Rows()

def one_argument(shape):
    return nn.Linear(64, 10)

def leaves(shape, classes):
    sys.exit(7)
"""
ENTRY_POINTS = """[decaybench.models]
pair = my_nets:Pair
recurrent = my_nets:recurrent
one-argument = my_nets:one_argument
leaves = my_nets:leaves
misspelt = my_nets:reccurent
absent = my_net:recurrent
[decaybench.datasets]
absent-data = my_net:data
"""
SWEEP = """name = "own"
[task]
data = "{data}"
model = "{model}"
epochs = 1
batch_size = 10
train_size = 40
validation_size = 20
test_size = 20
[budget]
trials = 1
repeats = 1
confirm_seeds = 1
[strategies.constant]
"""


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command on a sweep of this model and data, in a folder of its own: exit code, stdout, stderr, new files."""
    site, work = tmp_path / "site", tmp_path / "work"
    (site / "my_nets-1.dist-info").mkdir(parents=True)
    (site / "my_nets.py").write_text(CODE)
    (site / "my_nets-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: my-nets\nVersion: 1\n")
    (site / "my_nets-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    work.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(work)

    def run(command, model, data="digits"):
        (work / "own.toml").write_text(SWEEP.format(model=model, data=data))
        with pytest.raises(SystemExit) as end:
            main([command, "own.toml"])
        out, err = capsys.readouterr()
        return end.value.code, out, err, sorted(path.name for path in work.iterdir() if path.name != "own.toml")

    return run


def test_a_recurrent_net_runs(call):
    code, out, err, made = call("run", "recurrent")
    assert code == 0 and out.startswith("own: complete"), err
    assert made == ["studies"]


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("model", "data", "says"),
    [
        ("pair", "digits", "task.model: Pair must give 10 logits per image, one tensor (5, 10), got a tuple"),
        (
            "one-argument",
            "digits",
            "task.model 'one-argument' must build an nn.Module from the images' shape (1, 8, 8)",
        ),
        ("leaves", "digits", "and the number of classes 10, got SystemExit: 7"),
        ("misspelt", "digits", "decaybench.models: entry point misspelt = my_nets:reccurent cannot be imported"),
        ("absent", "digits", "decaybench.models: entry point absent = my_net:recurrent cannot be imported"),
        ("recurrent", "absent-data", "decaybench.datasets: entry point absent-data = my_net:data cannot be imported"),
        (
            "nothing",
            "digits",
            "task.model must be one of 2c2d, 3c3d, absent, all-cnn-c, leaves, lenet, misspelt, one-argument, pair, rec",
        ),
    ],
)
def test_what_does_not_work_is_one_line_and_nothing_is_written(call, command, model, data, says):
    code, out, err, made = call(command, model, data)
    assert (code, out, made) == (2, "", [])
    assert err.startswith("error: own.toml: ") and says in err and err.count("\n") == 1
