"""The page and report.md: one list of sections and a template for each of the two."""
