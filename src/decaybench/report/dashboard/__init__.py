"""What optuna-dashboard shows of a sweep beside its trials: a note and graphs, as plain data."""
