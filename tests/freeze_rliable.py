# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "arch==7.2.0",
#   "numpy==2.4.6",
#   "pandas<3", # arch 7.2 fails to import with pandas 3
#   "rliable==1.2.0",
#   "scipy==1.17.1",
#   "statsmodels==0.15.0",
# ]
# ///
"""Run rliable, and statsmodels for Holm, and write what they give: tests/compare/rliable.json.

``python tests/freeze_rliable.py FILE`` writes it; with ``--compare FILE`` it writes nothing, and fails if what the
libraries give differs from the file beyond a relative 1e-9.
"""

import sys
from importlib.metadata import version

import numpy as np
from rliable import library, metrics
from statsmodels.stats.multitest import multipletests

from freeze_oracles import main, rounded

TAU = [-0.5, 0.0, 0.25, 0.5, 0.55, 0.7, 1.0]


def scores(seed, runs, tasks, digits):
    """Few digits make ties."""
    return np.round(np.random.default_rng(seed).normal(0.5, 0.3, (runs, tasks)), digits)


def p_values(seed, tests):
    return np.random.default_rng(seed).uniform(0, 1, tests) ** 3


def freeze():
    arms = [(0, 10, 10, 6), (1, 5, 5, 1), (2, 8, 5, 1), (3, 1, 1, 1), (4, 20, 3, 2)]
    frozen = {
        "versions": {name: version(name) for name in ("rliable", "statsmodels", "scipy", "numpy")},
        "tau": TAU,
        "improvement": [
            {
                "a": a[:, 0].tolist(),
                "b": b[:, 0].tolist(),
                "probability": float(metrics.probability_of_improvement(a, b)),
            }
            for a, b in ((scores(seed, n, 1, d), scores(seed + 50, m, 1, d)) for seed, n, m, d in arms)
        ],
        # rliable counts what is strictly above tau, so the share of gaps to the best that are not is rho
        "profiles": [
            {
                "values": values.tolist(),
                "rho": [
                    (1 - library.score_distributions(gap, np.array(TAU))).tolist() for gap in values.max(0) - values
                ],
            }
            for values in (scores(*shape) for shape in [(5, 4, 6, 6), (6, 2, 1, 6), (7, 6, 3, 0)])
        ],
        "holm": [
            {"p": p.tolist(), "adjusted": multipletests(p, method="holm")[1].tolist()}
            for p in (p_values(seed, tests) for seed, tests in enumerate([1, 2, 15, 105]))
        ],
    }
    return rounded(frozen)


if __name__ == "__main__":
    sys.exit(main(freeze, *sys.argv[1:]))
