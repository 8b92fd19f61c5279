"""What the report says and draws of pruning, on tables whose answer is known."""

from decaybench.findings.pruning import pruning
from decaybench.report.figures import divergence, look, search, trials
from decaybench.report.figures.optuna_searches import by_strategy
from decaybench.report.words.pruning import pruning_sentence
from decaybench.report.words.run_tables import pruning_table
from findings.test_pruning import HALF, A, B, sweep


def test_in_words():
    assert pruning_sentence(sweep({"a": A, "b": B}, prune=HALF).results) == (
        "Pruning stopped 8 of 24 trials half-way. Of the 4 that were spared, 1 became the best of its repeat"
        " (25.0%, 4.6 to 69.9%)."
    )
    once = [[(0.9, None), (0.8, None), (0.2, "spared"), (0.1, "stopped")], *B[:2]]
    assert pruning_sentence(sweep({"a": once}, prune={"at": 0.3, "spare": 0.2}).results) == (
        "Pruning stopped 5 of 12 trials at 30% of their epochs. Of the 1 that was spared, 0 became the best of their repeat"
        " (0.0%, 0.0 to 79.3%)."
    )
    assert pruning_sentence(sweep({"b": B}, prune={"at": 0.5, "spare": 0.0}).results) == (
        "Pruning stopped 6 of 12 trials half-way. None was spared, so it is unknown how often that was wrong."
    )


def test_nothing_is_said_where_it_was_not_asked_for():
    summary = sweep({"a": [[(0.9, None)] * 4] * 3})
    assert pruning(summary.results) == []
    assert pruning_sentence(summary.results) == ""


def test_the_table_has_every_strategys_numbers():
    table = pruning_table(sweep({"a": A, "b": B}, prune=HALF))
    assert [dict(zip(table.header, row, strict=True)) for row in table.rows] == [
        {
            "strategy": "a",
            "trials stopped": "2 of 12",
            "trials spared": "4",
            "spared trials that became best (share, 95% interval)": "1 (25.0%, 4.6 to 69.9%)",
            "spared trials no worse than the median": "2",
        },
        dict(zip(table.header, ("b", "6 of 12", "0", "-", "-"), strict=True)),
    ]
    assert pruning_table(sweep({"a": A})).rows == ()


def test_stopped_trials_enter_nothing_that_speaks_of_ends():
    summary = sweep({"a": A, "b": [[(0.5, None), (0.4, None), (0.1, "stopped"), (0.05, None)]] * 3}, prune=HALF)
    for figure in (trials, search):
        a, b = figure.data(summary).strategies
        assert (a.validation.size, a.stopped, b.validation.size, b.stopped) == (10, 2, 9, 3)
        with look.settings("test"):
            panels = figure.draw(figure.data(summary)).axes
        assert "3 stopped, not drawn" in {text.get_text() for axes in panels for text in axes.texts}
    assert [row.tried.sum() for row in divergence.data(summary).rows] == [12, 12]  # none of them had diverged
    assert [row.at_chance for row in summary.rows] == [0, 3]  # 0.1 is chance, but it was stopped
    assert [len(each.points) for each in by_strategy(summary.results)] == [10, 9]
