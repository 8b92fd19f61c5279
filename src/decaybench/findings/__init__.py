"""What a sweep shows: numbers and reasons as plain data, computed from rows. No sentences, data frames or plots."""

from decaybench.findings.join import Evidence, join
from decaybench.findings.results import Results, collect
from decaybench.findings.summary import Row, Summary, summarise
from decaybench.findings.sweep import Strategy, Sweep
from decaybench.findings.winner import Pick, pick

__all__ = [
    "Evidence",
    "Pick",
    "Results",
    "Row",
    "Strategy",
    "Summary",
    "Sweep",
    "collect",
    "join",
    "pick",
    "summarise",
]
