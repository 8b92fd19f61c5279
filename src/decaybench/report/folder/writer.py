"""The report's folder: everything is made first, then takes the place of the older report at once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decaybench.errors import UserError
from decaybench.findings.results import collect
from decaybench.findings.summary import Summary, summarise
from decaybench.report.dashboard.note import reported
from decaybench.report.folder.csv_files import ledger_csv, runs_csv, summary_csv, verdicts_csv
from decaybench.report.folder.manifest import MANIFEST, manifest_text, versions
from decaybench.report.words.answer import answer_text

if TYPE_CHECKING:
    from decaybench.findings.join import Evidence
    from decaybench.search.views import Content
    from decaybench.store import RunRow


@dataclass(frozen=True)
class ReportSummary:
    """Where the report lies, its page, its answer as one plain paragraph, and what optuna-dashboard shows of it.

    Sweeps that were joined have no study together: there the dashboard shows nothing.
    """

    out: Path
    index: Path
    answer: str
    dashboard: Content | None


def build_report(evidence: Evidence, out: Path, sources: Sequence[Mapping[str, Any]]) -> ReportSummary:
    """Write the report of a sweep's evidence into the folder ``out``: the same bytes for the same tables.

    ``sources`` are the sweeps that it is of, as `manifest.source` has them. An older
    report in ``out`` is replaced, its stale files vanish, and files that are not the report's stay. Raises UserError,
    leaving ``out`` as it is, when it holds files but no report, or cannot be written.
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
    return ReportSummary(out, index, answer_text(summary), shown)


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
        "ledger.csv": ledger_csv(summary),
        "runs.csv": runs_csv(runs),
        **{f"figures/{figure.name}.svg": figure.svg for figure in every},
    }
    files["report.md"] = report_md(summary, figures)
    files["index.html"] = index_html(summary, figures, optunas, [*sorted(files), MANIFEST])
    return files | {MANIFEST: manifest_text(sources, files, written_by)}


def check_folder(out: Path) -> None:
    """Raise UserError when ``out`` may not be replaced by a report: to be asked before hours of training."""
    _foreign(out)
    above = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not above.is_dir():
        raise UserError(f"report folder {out}: {above} must be a folder, is a file")
    # Permission bits too: the superuser may write anywhere, but somebody meant this folder to stay as it is.
    if not above.stat().st_mode & 0o222 or not os.access(above, os.W_OK):
        raise UserError(f"report folder {out}: {above} must be writable, but is read-only")


def _foreign(out: Path) -> list[Path]:
    """The files in ``out``, relative to it, that are not the report's; UserError when there is no report."""
    try:
        if not out.exists():
            return []
    except OSError as error:  # a name that no disk would take
        raise UserError(f"report folder {out}: {error.strerror}; name another with --out") from error
    if not out.is_dir():
        raise UserError(f"report folder {out}: must be a folder, is a file")
    found = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_symlink() or not path.is_dir()]
    if not found:
        return []
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        ours = {MANIFEST, *manifest["files"]}
        known = bool({"sweeps", "spec_hash"} & set(manifest))  # the latter an older version's
    except (OSError, ValueError, LookupError, TypeError):
        known = False
    if not known:
        raise UserError(
            f"report folder {out}: holds files (such as {found[0]}) but no report's {MANIFEST}; nothing was touched"
        )
    return [path for path in found if path.as_posix() not in ours]


def _replace(out: Path, files: Mapping[str, str], foreign: list[Path]) -> None:
    """Make the new folder beside ``out``, then swap the two by renaming: nobody ever sees half a report."""
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
    shutil.rmtree(stale, ignore_errors=True)  # only now: until the new one stood, it was the only report
