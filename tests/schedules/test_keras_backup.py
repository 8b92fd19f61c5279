"""The folder of a KerasCallback's own state: where it may be, and what its file may hold."""

import os
from pathlib import Path

import pytest
import torch

from decaybench.schedules import SCHEDULES
from schedules.keras_fits import KerasCallback, N, T, a_model, drive, refused

PLATEAU = SCHEDULES["reduce_on_plateau"](factor=0.5, patience=0, cooldown=0)


def test_a_backup_that_cannot_be_read_is_a_line(tmp_path):
    file, model = tmp_path / "decaybench.pt", a_model()

    def is_refused(line):
        with refused(f"KerasCallback: {file}{line}"):
            drive(KerasCallback(PLATEAU, T, N, backup_dir=tmp_path), model, epochs=range(2, 4))

    drive(KerasCallback(PLATEAU, T, N, backup_dir=tmp_path), model, epochs=range(2))
    whole = file.read_bytes()
    flipped = bytes(255 - byte for byte in whole)
    for content in (b"", b"not a state", b"PK\x03\x04", whole[: len(whole) // 2], whole[:-1], flipped, b"\x80\x02."):
        file.write_bytes(content)
        is_refused(f" is damaged, or not written by KerasCallback: delete the folder {tmp_path} to begin the run again")
    for states in ([1], torch.ones(1), None):
        torch.save(states, file)
        is_refused(" is damaged, or not written by KerasCallback")
    for states, line in [
        ({2: {"kind": "linear"}}, ": state_dict must be what state_dict() returned"),
        ({2: 3}, ": state_dict must be what state_dict() returned, got int"),
        ({1: {}}, " has no state for that epoch"),
    ]:
        torch.save(states, file)
        with refused(f"{file}{line}"):
            drive(KerasCallback(PLATEAU, T, N, backup_dir=tmp_path), model, epochs=range(2, 4))
    file.unlink()
    file.mkdir()
    is_refused(" cannot be read: Is a directory")


@pytest.mark.parametrize("folder", ["", 3, b"backup", True, "gs://bucket/run"])
def test_backup_dir_is_a_local_folder(folder):
    with refused(f"KerasCallback: backup_dir must be the path of a local folder, got {folder!r}"):
        KerasCallback(PLATEAU, T, N, backup_dir=folder)


def test_backup_dir_is_where_backup_and_restore_looks(tmp_path, monkeypatch):
    """Which makes a folder that is named ~."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("~", "~/backup", Path("~/backup"), "~root/backup"):
        with refused("KerasCallback: backup_dir must be a path without ~, which BackupAndRestore does not expand, got"):
            KerasCallback(PLATEAU, T, N, backup_dir=folder)
    monkeypatch.chdir(tmp_path)
    for folder in ("./~/x", "a~b", "~nobody_of_that_name/x"):
        drive(KerasCallback(PLATEAU, T, N, backup_dir=folder), epochs=range(1))
        assert (tmp_path / folder / "decaybench.pt").exists()


def test_backup_dir_is_a_folder_that_can_be_written(tmp_path, monkeypatch):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("")
    link.symlink_to(tmp_path / "nowhere")
    for folder, there in ((file, file), (file / "below" / "it", file), (link, link)):
        with refused(f"KerasCallback: backup_dir must be a folder that can be written: {there} is not one"):
            KerasCallback(PLATEAU, T, N, backup_dir=folder)
    monkeypatch.setattr("os.access", lambda path, mode: (path, mode) != (tmp_path, os.W_OK))
    with refused(f"a folder that can be written: {tmp_path} is not one"):
        KerasCallback(PLATEAU, T, N, backup_dir=tmp_path / "new")
