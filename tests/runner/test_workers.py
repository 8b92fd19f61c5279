"""Several processes: the same numbers, and any of them may die."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from small_sweep import epochs_written, results

LONGER = ("epochs = 3", "epochs = 40")  # so that there is time to kill it


def finish(process, code: int = 0) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return err if code else out


def start(command, file, name, workers):
    return command("run", str(file), "--storage", f"sqlite:///{name}.db", "--studies", name, "--workers", str(workers))


def without_stacks(database) -> dict[str, list[tuple]]:
    """The results; which runs are stacked together is a matter of how many processes there are."""
    found = results(database)
    return found | {"runs": [(*run[:-2], run[-1]) for run in found["runs"]]}


def children(process) -> list[int]:
    """The processes that train for this one."""
    own = about(process.pid, f"task/{process.pid}/children").split()
    return [int(pid) for pid in own if b"spawn_main" in about(int(pid), "cmdline")]


def about(pid: int, what: str) -> bytes:
    """What the kernel says of a process; nothing of one that ended meanwhile, which any child may do at any time."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def wait_for_workers(process, n: int) -> list[int]:
    while process.poll() is None and len(children(process)) < n:
        time.sleep(0.01)
    return children(process)


def alive(pid: int) -> bool:
    return about(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"])


def test_two_processes_give_the_numbers_of_one(sweep_file, command, tmp_path):
    finish(start(command, sweep_file, "one", 1))
    two = start(command, sweep_file, "two", 2)
    assert len(wait_for_workers(two, 2)) == 2
    assert "small: complete" in finish(two)
    assert without_stacks(tmp_path / "two.db") == without_stacks(tmp_path / "one.db")


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_whoever_is_killed_the_sweep_goes_on_and_ends_the_same(sweep_file, command, tmp_path, times):
    sweep_file.write_text(sweep_file.read_text().replace(*LONGER))
    finish(start(command, sweep_file, "quiet", 1))
    rng, killed, database = random.Random(2), [], tmp_path / "killed.db"
    for victim in ("parent", "worker") * times:
        process, before = start(command, sweep_file, "killed", 2), epochs_written(database)
        wanted = before + rng.randint(1, 60)
        while process.poll() is None and epochs_written(database) < wanted:
            time.sleep(0.002)
        workers = children(process) if process.poll() is None else []
        if workers and victim == "parent":
            process.send_signal(signal.SIGKILL)
            process.communicate()
            deadline = time.monotonic() + 20
            while any(map(alive, workers)) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert not any(map(alive, workers)), "workers outlived the process that started them"
            killed.append(victim)
        elif workers:
            os.kill(workers[0], signal.SIGKILL)
            _, err = process.communicate(timeout=300)
            if process.returncode:  # else it had just finished, and was no longer needed
                assert "a training process was killed (out of memory?)" in err and "Traceback" not in err
                assert process.returncode == 1
                killed.append(victim)
        else:
            process.communicate()
    assert {"parent", "worker"} <= set(killed)
    assert "small: complete" in finish(start(command, sweep_file, "killed", 2))
    assert without_stacks(tmp_path / "killed.db") == without_stacks(tmp_path / "quiet.db")


def test_ctrl_c_stops_all_of_them(sweep_file, command, tmp_path):
    sweep_file.write_text(sweep_file.read_text().replace("epochs = 3", "epochs = 2000"))
    process = start(command, sweep_file, "s", 2)
    workers = wait_for_workers(process, 2)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    assert finish(process, 130).endswith("interrupted; run the same command again to continue\n")
    assert not any(map(alive, workers))
