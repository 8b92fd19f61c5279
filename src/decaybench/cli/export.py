"""``decaybench export``: a sweep's best configuration as code, on stdout or in a file."""

from decaybench import api
from decaybench.errors import UserError
from decaybench.paths import expanded, typed


def show(name: str, *, strategy: str | None, target: str, storage: str | None, out: str | None) -> None:
    """Print the code, or write it to the file ``out``, which is overwritten if it exists."""
    file = None if out is None else expanded(out, "--out")
    text = api.export(name, strategy=strategy, target=target, storage=storage)
    if file is None:
        print(text, end="")
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out: {file} cannot be written: {error.strerror}") from error
    print(f"{name}: {typed(file)}")
