"""What optuna-dashboard shows of a sweep besides its trials: a note and graphs, as plain data."""
