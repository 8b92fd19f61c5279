"""Writes the report's folder: all files are made first, then replace the older report at once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from decaybench.errors import UserError
from decaybench.findings.decision import decision
from decaybench.findings.results import collect
from decaybench.findings.summary import Summary, summarise
from decaybench.report.dashboard.note import reported
from decaybench.report.folder.csv_files import ledger_csv, looks_csv, runs_csv, summary_csv, verdicts_csv
from decaybench.report.folder.manifest import MANIFEST, manifest_text, versions
from decaybench.report.words.answer import answer_text

if TYPE_CHECKING:
    from decaybench.findings.join import Evidence
    from decaybench.search.views import Content
    from decaybench.store import RunRow


DECISION: Final = "decision.json"
"""The answer as data: see `findings.decision`."""


@dataclass(frozen=True)
class ReportSummary:
    """The report's folder, its page, its answer as one plain paragraph, and what optuna-dashboard shows of it.

    ``settled`` says whether the sweep has what it was run for, and ``complete`` whether it has nothing left to train.
    ``dashboard`` is None for joined sweeps, because they have no common study.
    """

    out: Path
    index: Path
    answer: str
    settled: bool
    complete: bool
    dashboard: Content | None


def build_report(evidence: Evidence, out: Path, sources: Sequence[Mapping[str, Any]]) -> ReportSummary:
    """Write the report of a sweep's evidence into the folder ``out``. The same tables give the same bytes.

    ``sources`` are its sweeps, from `manifest.source`. An older report in ``out`` is replaced, and files that are not
    the report's stay. Raises UserError and leaves ``out`` unchanged if it contains files but no report, or cannot be
    written.
    """
    foreign = _foreign(out)
    summary = summarise(collect(evidence))
    files = report_files(summary, evidence.runs, sources, versions())
    taken = sorted(str(path) for path in foreign if path.as_posix() in files)
    if taken:
        raise UserError(f"report folder {out}: {taken[0]} is in the way and is not the report's; move it")
    try:
        _replace(out, files, foreign)
    except OSError as error:
        raise UserError(f"report folder {out}: cannot be written: {error}") from error
    index = out / "index.html"
    shown = None if evidence.sweep.joined else reported(summary, index)
    complete = evidence.sweep.complete
    return ReportSummary(out, index, answer_text(summary), summary.answered, complete, shown)


def report_files(
    summary: Summary, runs: Sequence[RunRow], sources: Sequence[Mapping[str, Any]], written_by: Mapping[str, str]
) -> dict[str, str]:
    """Every file of the report, by its name in the folder; ``runs`` are the rows behind ``summary``."""
    from decaybench.report.figures import draw_all
    from decaybench.report.figures.by_optuna import draw_optunas
    from decaybench.report.page.render import index_html, report_md

    figures, optunas = draw_all(summary), draw_optunas(summary)
    every = [*figures, *(figure for plots in optunas for figure in (*plots.wide, *plots.narrow))]
    files = {
        "summary.csv": summary_csv(summary),
        "verdicts.csv": verdicts_csv(summary),
        "looks.csv": looks_csv(summary),
        DECISION: json.dumps(decision(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "ledger.csv": ledger_csv(summary),
        "runs.csv": runs_csv(runs),
        **{f"figures/{figure.name}.svg": figure.svg for figure in every},
    }
    files["report.md"] = report_md(summary, figures)
    files["index.html"] = index_html(summary, figures, optunas, [*sorted(files), MANIFEST])
    return files | {MANIFEST: manifest_text(sources, files, written_by)}


def check_folder(out: Path) -> None:
    """Raise UserError if ``out`` cannot take a report; call it before hours of training."""
    _foreign(out)
    above = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not above.is_dir():
        raise UserError(f"report folder {out}: {above} must be a folder, but is a file")
    # Also check the permission bits: root may write anywhere, but a read-only folder is meant to stay as it is.
    if not above.stat().st_mode & 0o222 or not os.access(above, os.W_OK):
        raise UserError(f"report folder {out}: {above} must be writable, but is read-only")


def _foreign(out: Path) -> list[Path]:
    """The files in ``out``, relative to it, that are not the report's; UserError if there are files but no report."""
    try:
        if not out.exists():
            return []
    except OSError as error:  # such as a name that is too long
        raise UserError(f"report folder {out}: {error.strerror}; name another with --out") from error
    if not out.is_dir():
        raise UserError(f"report folder {out}: must be a folder, but is a file")
    found = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_symlink() or not path.is_dir()]
    if not found:
        return []
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        ours = {MANIFEST, *manifest["files"]}
        known = bool({"sweeps", "spec_hash"} & set(manifest))  # spec_hash is from an older version
    except (OSError, ValueError, LookupError, TypeError):
        known = False
    if not known:
        raise UserError(
            f"report folder {out}: holds files (such as {found[0]}) but no report's {MANIFEST}; nothing was changed"
        )
    return [path for path in found if path.as_posix() not in ours]


def _replace(out: Path, files: Mapping[str, str], foreign: list[Path]) -> None:
    """Make the new folder beside ``out``, then swap the two by renaming, so that nobody sees half a report."""
    out = out.resolve()
    fresh = out.with_name(f".{out.name}.new-{os.getpid()}")
    stale = out.with_name(f".{out.name}.old-{os.getpid()}")
    try:
        for name, text in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        for path in foreign:
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(out / path, fresh / path, follow_symlinks=False)
        if out.exists():
            out.rename(stale)
        try:
            fresh.rename(out)
        except BaseException:
            if stale.exists():
                stale.rename(out)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(stale, ignore_errors=True)  # only now: until the rename, it was the only report
