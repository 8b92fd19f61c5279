"""The report: the answer of a sweep in words, tables and figures."""

from decaybench.report.dashboard.note import planned
from decaybench.report.folder.manifest import read_manifest, source
from decaybench.report.folder.verify import Verified, compare
from decaybench.report.folder.writer import ReportSummary, build_report, check_folder
from decaybench.report.words.answer import answer_text

__all__ = [
    "ReportSummary",
    "Verified",
    "answer_text",
    "build_report",
    "check_folder",
    "compare",
    "planned",
    "read_manifest",
    "source",
]
