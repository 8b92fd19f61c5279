"""The report: a sweep's tables as an answer in words, tables and figures."""

from decaybench.report.answer import answer_text
from decaybench.report.manifest import read_manifest, source
from decaybench.report.note import planned
from decaybench.report.verify import Verified, compare
from decaybench.report.writer import ReportSummary, build_report, check_folder

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
