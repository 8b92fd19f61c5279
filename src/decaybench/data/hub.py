"""Well-known datasets that are fetched from the Hugging Face hub, each at one pinned revision of its repository."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from decaybench.errors import UserError

PROBE_SECONDS = 4.0  # in which the hub must answer at all; a download may then take its time


class Source(NamedTuple):
    """A dataset's repository on the hub, the folder of its parquet files there, and the commit that is read."""

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
    """The train and test file of a dataset in SOURCES, from huggingface_hub's cache or else downloaded into it.

    ``root`` is only named in the error. Obeys HF_HUB_OFFLINE and the hub's other settings, and sends no token.
    Raises UserError, within seconds where there is no network.
    """
    import huggingface_hub as hub

    repository, folder, revision = SOURCES[name]
    files = [f"{folder}/{part}-00000-of-00001.parquet" for part in ("train", "test")]
    try:
        cached = [hub.try_to_load_from_cache(repository, f, repo_type="dataset", revision=revision) for f in files]
        if not all(isinstance(path, str) for path in cached):  # neither None nor the mark of a known absence
            _probe(hub.hf_hub_url(repository, files[0], repo_type="dataset", revision=revision))
        train, test = (
            hub.hf_hub_download(repository, f, repo_type="dataset", revision=revision, token=False) for f in files
        )
    except Exception as error:  # the hub's errors, its HTTP library's and the system's have no common class
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        wanted = Path("DIR") / name if root is None else root / name
        option = "and pass --data DIR (or set DECAYBENCH_DATA)" if root is None else f"(--data is {root})"
        raise UserError(
            f"task.data {name!r} is in no data folder and could not be fetched from the hub's "
            f"{repository} ({reason}): put its files at {wanted}/train.parquet and test.parquet {option}"
        ) from error
    return Path(train), Path(test)


def _probe(url: str) -> None:
    """Ask for a file's size, once: without a network hf_hub_download would try for 20 seconds and more.

    In a thread, since neither the resolver nor a list of addresses to try keeps to the time limit of a request.
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
