"""Findings in words: numbers, then sentences, plain ASCII, so that a terminal and a page say the same."""

from decaybench.report.words.numbers import (
    about,
    at_most,
    bound,
    bounds,
    count,
    exact,
    gap,
    listed,
    number,
    p_value,
    percent,
    rate,
    share,
    signed_gap,
    value,
    worse,
)

__all__ = [
    "about",
    "at_most",
    "bound",
    "bounds",
    "count",
    "exact",
    "gap",
    "listed",
    "number",
    "p_value",
    "percent",
    "rate",
    "share",
    "signed_gap",
    "value",
    "worse",
]
