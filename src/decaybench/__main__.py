"""``python -m decaybench``."""

from decaybench.cli import main

if __name__ == "__main__":  # processes that train import this module too
    main()
