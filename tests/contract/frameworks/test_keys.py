"""Work under an idempotency key is done once, whatever becomes of the client or of its time."""

from uuid import uuid4

import pytest
from tests.contract.frameworks.running import Answer, Running, fresh_name
from tests.system.served import until

pytestmark = pytest.mark.system


def kind_of(answer: Answer) -> str:
    """Return what an answer is: an outcome, or the kind of its problem."""
    if answer.status == 200:
        return "replayed" if answer.headers.get("idempotency-replayed") == "true" else "done"
    return str(answer.json["type"].rpartition("#")[2])


class Charge:
    """One piece of work that must not be done twice.

    Attributes:
        name: Of the work, for the app.
    """

    def __init__(self, one: Running) -> None:
        self._one = one
        self.name = fresh_name()
        self._key = str(uuid4())

    def ask(self, **more: str) -> Answer:
        """Ask for it, once more."""
        headers = {"Idempotency-Key": self._key, "Content-Length": "0", **more}
        return self._one.post(f"/charge?name={self.name}", b"", headers)

    def leave(self) -> None:
        """Ask for it, and hang up when it was begun."""
        with self._one.dialled() as connection:
            connection.sendall(
                f"POST /charge?name={self.name} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Content-Length: 0\r\nIdempotency-Key: {self._key}\r\n\r\n".encode()
            )
            until(lambda: self.count() == 1, "it was begun")

    def release(self) -> None:
        """Let it come to an answer."""
        assert self._one.get(f"/release?name={self.name}").status == 200

    def count(self) -> int:
        """Return how often it was done."""
        return int(self._one.state()["charged"].get(self.name, 0))

    def becomes(self, kind: str) -> None:
        """Ask until there is an outcome, and expect this one."""
        seen: list[str] = []

        def is_settled() -> bool:
            seen.append(kind_of(self.ask()))
            return seen[-1] != "idempotency-conflict"

        until(is_settled, "it is settled")
        assert seen[-1] == kind
        assert self.count() == 1


def test_the_work_of_a_client_that_left_goes_on_and_is_done_once(one: Running) -> None:
    charge = Charge(one)
    charge.leave()
    # Time for a framework that listens, to cancel its handler.
    for _ in range(20):
        assert kind_of(charge.ask()) == "idempotency-conflict"
    charge.release()
    charge.becomes("replayed")
    until(one.idle, "nothing is held")


def test_work_that_the_deadline_cut_off_is_not_done_again(one: Running) -> None:
    """A thread can't be cut off: it comes to its answer, which is kept."""
    charge = Charge(one)
    late = charge.ask(**{"X-Request-Timeout": "300ms"})
    assert kind_of(late) == "deadline-exceeded"
    if one.case.is_async:
        charge.becomes("idempotency-unknown")
    charge.release()
    charge.becomes("idempotency-unknown" if one.case.is_async else "replayed")
    until(one.idle, "nothing is held")
