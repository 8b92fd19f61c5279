"""Statistics on plain arrays: no torch, no SQL, no plots."""

from decaybench.compare.intervals import Interval, mean_interval, p_better, paired_interval

__all__ = ["Interval", "mean_interval", "p_better", "paired_interval"]
