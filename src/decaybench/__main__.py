"""``python -m decaybench``."""

from decaybench.cli import main

main()
