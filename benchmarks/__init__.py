"""decaybench beside what a user would write today: ``python -m benchmarks`` measures training, in one run."""
