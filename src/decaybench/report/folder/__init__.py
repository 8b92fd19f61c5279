"""The report's folder: its files, how it is replaced, and how it is verified."""
