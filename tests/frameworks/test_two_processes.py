"""Accelerate in two processes: its prepared scheduler makes two steps per update."""

import json
import os
import subprocess
import sys
from pathlib import Path

from frameworks.plain import plain

TRAIN = """
import json

from frameworks.plain import ACCUMULATE, TOTAL
from frameworks.test_accelerate import Training

done = [Training(rule).run(last=TOTAL * ACCUMULATE // 2) for rule in ("fixed", "loss")]  # each has half of the batches
with open(f"{done[0].accelerator.process_index}.json", "w") as file:
    json.dump([[training.rates, training.net.weights().tolist()] for training in done], file)
"""


def test_the_sizes_are_those_of_one_process(tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    paths = [str(Path(__file__).parents[1]), *sys.path]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "UserWarning" not in done.stderr
    first, second = (json.loads((tmp_path / f"{i}.json").read_text()) for i in range(2))
    assert first == second
    (fixed, _), (loss, _) = first
    assert fixed == plain("fixed")[0][::2]
    assert len(loss) == len(fixed) and len({rate for rate, _ in loss}) == len(loss)
