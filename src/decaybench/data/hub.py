"""Well-known datasets, fetched from the Hugging Face hub at a pinned revision of their repositories."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from decaybench.errors import UserError

PROBE_SECONDS = 4.0  # the hub must answer within this time; the download itself has no limit


class Source(NamedTuple):
    """A dataset on the hub: its repository, the folder of its parquet files, and the commit to read."""

    repository: str
    folder: str
    revision: str


SOURCES: Mapping[str, Source] = {
    "mnist": Source("ylecun/mnist", "mnist", "77f3279092a1c1579b2250db8eafed0ad422088c"),
    "fashion-mnist": Source(
        "zalando-datasets/fashion_mnist", "fashion_mnist", "531be5e2ccc9dba0c201ad3ae567a4f3d16ecdd2"
    ),
    "cifar10": Source("uoft-cs/cifar10", "plain_text", "0b2714987fa478483af9968de7c934580d0bb9a2"),
}


def fetch(name: str, root: Path | None) -> tuple[Path, Path]:
    """Return the paths of a dataset's train and test files; what huggingface_hub's cache lacks is downloaded into it.

    ``name`` is a key of SOURCES; ``root`` is only used in the error message. HF_HUB_OFFLINE and the hub's other
    settings apply, and no token is sent. Raises UserError; without a network this takes only seconds.
    """
    import huggingface_hub as hub

    repository, folder, revision = SOURCES[name]
    files = [f"{folder}/{part}-00000-of-00001.parquet" for part in ("train", "test")]
    try:
        cached = [hub.try_to_load_from_cache(repository, f, repo_type="dataset", revision=revision) for f in files]
        if not all(isinstance(path, str) for path in cached):  # else None, or a marker that the hub lacks the file
            _probe(hub.hf_hub_url(repository, files[0], repo_type="dataset", revision=revision))
        train, test = (
            hub.hf_hub_download(repository, f, repo_type="dataset", revision=revision, token=False) for f in files
        )
    except Exception as error:  # the hub's errors, its HTTP library's and the system's have no common class
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        wanted = Path("DIR") / name if root is None else root / name
        option = "and pass --data DIR (or set DECAYBENCH_DATA)" if root is None else f"(--data is {root})"
        raise UserError(
            f"task.data {name!r} was not found in a data folder and could not be fetched from the hub's "
            f"{repository} ({reason}): put its files at {wanted}/train.parquet and test.parquet {option}"
        ) from error
    return Path(train), Path(test)


def _probe(url: str) -> None:
    """Request a file's size once, because without a network hf_hub_download would retry for 20 seconds or more.

    The request runs in a thread: its timeout covers neither name resolution nor trying several addresses.
    """
    from huggingface_hub import get_hf_file_metadata

    outcome: list[Exception | None] = []

    def ask() -> None:
        try:
            get_hf_file_metadata(url, token=False, timeout=PROBE_SECONDS)
        except Exception as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    if not outcome:
        raise TimeoutError(f"no answer within {PROBE_SECONDS:g} seconds")
    if outcome[0] is not None:
        raise outcome[0]
