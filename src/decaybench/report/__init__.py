"""The report: a sweep's tables as an answer in words, tables and figures."""

from decaybench.report.answer import answer_text
from decaybench.report.note import planned
from decaybench.report.results import collect
from decaybench.report.summary import Summary, summarise
from decaybench.report.writer import ReportSummary, build_report, check_folder

__all__ = ["ReportSummary", "Summary", "answer_text", "build_report", "check_folder", "collect", "planned", "summarise"]
