"""A small sweep that runs in seconds, and what of its results must never vary."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

SMALL = """
name = "small"
question = "Does the runner survive?"

[task]
data = "digits"
model = "small-cnn"
epochs = 3
batch_size = 32
train_size = 160
validation_size = 100
test_size = 100

[budget]
trials = 4
repeats = 2
confirm_seeds = 2

[search]
seed = 3
learning_rate = { low = 1e-2, high = 1.0, log = true }
momentum = { low = 0.5, high = 0.95, log = true }

[strategies.constant]
[strategies.staircase]
schedule = "exponential"
staircase = true
decay_steps = { value = 1, unit = "epoch" }
[strategies.exp_loss]
learning_rate = { low = 1e-3, high = 0.1, log = true }
[strategies.doomed]
schedule = "constant"
learning_rate = 1e30
momentum = 0.0
"""


SETTLED = """
name = "settled"
question = "Does it settle at once?"

[task]
data = "digits"
model = "small-cnn"
epochs = 1
batch_size = 32
train_size = 160
validation_size = 100
test_size = 100
rope = 0.05

[budget]
trials = 6
repeats = { from = 5, to = 6 }
confirm_seeds = 1

[search]
seed = 3
learning_rate = { low = 0.3, high = 1.0, log = true }

[strategies.constant]
[strategies.doomed]
schedule = "constant"
learning_rate = 1e30
momentum = 0.0
"""
"""A sweep whose first look settles it: the other strategy diverges at its first update."""


class Ran(NamedTuple):
    """The folder with its file and studies/ in which a sweep was run, and what that printed."""

    folder: Path
    out: str
    err: str


def results(database: Path) -> dict[str, list[tuple]]:
    """All results, without what may differ between two runs of one sweep: ids, attempts, trial numbers, times."""
    with sqlite3.connect(database) as connection:
        key = "phase, strategy, repeat, slot, length, seed"
        runs = connection.execute(
            f"""SELECT {key}, params, outcome, epochs_done, validation_loss, validation_accuracy, test_loss, test_accuracy,
            diverged_step, device, precision, stack, superseded FROM runs ORDER BY {key}"""
        ).fetchall()
        epochs = connection.execute(
            f"""SELECT {key}, e.epoch, e.train_loss, e.validation_loss, e.validation_accuracy, e.learning_rate
            FROM epochs e JOIN (SELECT id, {key} FROM runs) r ON r.id = e.run_id ORDER BY {key}, epoch"""
        ).fetchall()
        traces = connection.execute(
            f"SELECT {key}, t.learning_rate FROM traces t JOIN runs r ON r.id = t.run_id ORDER BY {key}"
        ).fetchall()
        trials = connection.execute(
            """SELECT a.value_json, v.value FROM trials t
            JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'run_id'
            JOIN trial_values v ON v.trial_id = t.trial_id WHERE t.state = 'COMPLETE' ORDER BY 1"""
        ).fetchall()
        looks = connection.execute(
            """SELECT length, step, repeats, spent, margin, strategies, trained_next, to_repeats, margin_source, outcome
            FROM looks ORDER BY step, length"""
        ).fetchall()
    return {"runs": runs, "epochs": epochs, "traces": traces, "trials": trials, "looks": looks}


def without_stacks(database: Path) -> dict[str, list[tuple]]:
    """The results; which runs are stacked together is a matter of how many processes there are."""
    found = results(database)
    return found | {"runs": [(*run[:-2], run[-1]) for run in found["runs"]]}


def epochs_written(database: Path) -> int:
    """Grows with every epoch that is written, and with every attempt that replaces some."""
    if not database.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            query = "SELECT coalesce(sum(attempt), 0) + (SELECT count(*) FROM epochs) FROM runs"
            return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        return 0
