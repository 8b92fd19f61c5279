"""What the shell completes, as the shell asks for it; at once, and without loading what is heavy."""

import os
import subprocess
import sys

import pytest

from decaybench.cli import completion
from decaybench.cli.main import main
from decaybench.schedules import SCHEDULES
from decaybench.sweep import shipped


def complete(folder, *words: str) -> list[str]:
    """What bash would offer after these words, the last of which is being typed."""
    env = os.environ | {
        "_DECAYBENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["decaybench", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; from decaybench.cli import main\ntry: main([])\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True)
    heavy = {"torch", "pandas", "matplotlib", "optuna", "sqlalchemy", "numpy", "scipy"}
    assert not heavy & set(done.stderr.split())
    return done.stdout.split()


def test_commands_sweeps_files_and_schedules(tmp_path):
    (tmp_path / "quiet.toml").touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "mine.toml").touch()
    assert complete(tmp_path, "sta") == ["status"]
    for command in ("run", "check"):
        assert complete(tmp_path, command, "qui") == ["quickstart", "quiet.toml"]
    assert complete(tmp_path, "run", "more/m") == ["more/mine.toml"]
    assert complete(tmp_path, "schedules", "exp_") == ["exp_loss", "exp_loss_relative"]
    assert complete(tmp_path, "export", "quickstart", "--format", "t") == ["torch", "toml"]


def test_all_that_is_there_is_offered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert completion.kinds("") == list(SCHEDULES)
    assert completion.sweeps("") == list(shipped())
    assert completion.sweeps("no/such/folder/") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_to_install_is_shown(shell, capsys, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    with pytest.raises(SystemExit) as end:
        main(["--show-completion", shell])
    assert end.value.code == 0
    assert "_DECAYBENCH_COMPLETE" in capsys.readouterr().out
