"""The page and report.md: one list of sections, placed by a template each."""
