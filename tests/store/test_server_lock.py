"""The lock that a server keeps: one holder, known by name, until its connection ends."""

from decaybench.store import ServerLock, open_storage
from postgres import execute


def test_one_holds_it_and_others_are_told_who(postgres_url: str) -> None:
    with open_storage(postgres_url, create=True) as one, open_storage(postgres_url, create=False) as other:
        first, second = ServerLock(one, "quick", "process 1 on a"), ServerLock(other, "quick", "process 2 on b")
        assert first.take() is None and first.held()
        assert second.take() == "process 1 on a"
        slow = ServerLock(other, "slow", "process 2 on b")
        assert slow.take() is None
        slow.release()
        first.release()
        assert second.take() is None and second.held()
        assert first.take() == "process 2 on b"
        second.release()


def test_a_holder_that_loses_its_connection_notices_and_takes_it_again(postgres_url: str) -> None:
    with open_storage(postgres_url, create=True) as storage:
        lock = ServerLock(storage, "quick", "process 1 on a")
        assert lock.take() is None
        execute(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'process 1 on a'",
        )
        assert not lock.held()
        lock.release()
        assert lock.take() is None and lock.held()
        lock.release()
