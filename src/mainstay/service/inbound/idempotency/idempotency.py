"""What is decided about a request that carries a key; ``asgi.py`` and ``wsgi.py`` act on it.

```
key? ── no ──> app                       body ──> fingerprint ──> begin ┬ ours ──> app ──> finish
  └ malformed: 400                                                      ├ done ──> the first answer
                                                                        ├ busy: 409
                                            another request's key: 422 ─┴ crashed: 409
```
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from mainstay.core.clock import Clock
from mainstay.core.errors import StoreUnavailable
from mainstay.core.events import Event, Listeners
from mainstay.core.idempotency import Bid, Claim, State
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.idempotency import refusals
from mainstay.service.inbound.idempotency.answer import Answer, decode, encode, fingerprint, is_kept
from mainstay.service.inbound.idempotency.attempt import Attempt
from mainstay.service.inbound.idempotency.events import (
    AnswerNotKept,
    AnswerReplayed,
    AttemptAbandoned,
    LeaseLost,
)
from mainstay.service.inbound.idempotency.keeper import Keeper
from mainstay.service.inbound.idempotency.key import (
    HEADER,
    SessionOf,
    caller_by,
    is_proven,
    parse_key,
    record_name,
    witness_of,
)
from mainstay.service.inbound.idempotency.records import Records
from mainstay.service.inbound.problems.refusal import Refused
from mainstay.spec import idempotency as spec

Principal = Callable[[Exchange], str | None]
"""Says who asks, in the words of the user's program; None, or nothing, where nobody is known."""

_FAILED = 500


class Idempotency:
    """Requests with an ``Idempotency-Key`` do their work once. Made once for an app.

    Args:
        options: As declared.
        records: Where the records are.
        clock: Times the leases.
        events: Listeners of what is decided.
        service: Its records are apart from those of other services.
        principal: In place of ``options.caller``, where it says somebody.
        session_of: Tells sessions apart, where the service has any.

    Attributes:
        methods: Of the requests that may carry a key; the shell asks for no others.
        body_bytes_max: See the declaration.
        answer_bytes_max: See the declaration.
    """

    def __init__(
        self,
        options: spec.Idempotency,
        *,
        records: Records,
        clock: Clock,
        events: Listeners,
        service: str,
        principal: Principal | None = None,
        session_of: SessionOf | None = None,
    ) -> None:
        self.methods = frozenset(options.methods)
        self.body_bytes_max = options.body_bytes_max
        self.answer_bytes_max = options.answer_bytes_max
        self.records = records
        self.keeper = Keeper(
            records,
            lease_s=options.lease_s,
            held_max=options.held_max,
            clock=clock,
            on_lost=self._tell_lost,
        )
        self._options = options
        self._clock = clock
        self._events = events
        self._prefix = f"mainstay:{service}:idempotency:"
        self._caller_of = caller_by(options.caller, session_of)
        self._principal = principal

    def close(self) -> None:
        """Renew no lease any more. For the end of the process."""
        self.keeper.close()

    def key_of(self, exchange: Exchange) -> bytes | None:
        """Return the request's key, or None where it carries none and needs none.

        Raises:
            Refused: It is malformed, or missing where one is required.
        """
        header = exchange.get(HEADER)
        if header is None:
            if self._options.required:
                raise Refused(refusals.KEY_MISSING)
            return None
        key = parse_key(header)
        if key is None:
            raise Refused(refusals.KEY_INVALID)
        return key

    def attempt(self, exchange: Exchange, key: bytes, query: bytes, body: bytes) -> Attempt:
        """Return a new attempt at a request that was read whole.

        Raises:
            Refused: As many as may be are held.
        """
        who = None if self._principal is None else self._principal(exchange)
        caller = b"p" + who.encode("utf-8", "surrogatepass") if who else self._caller_of(exchange)
        attempt = Attempt(
            key=key.decode("ascii"),
            record=record_name(self._prefix, caller, key),
            token=secrets.randbits(62) + 1,
            fingerprint=fingerprint(exchange.method, exchange.path, query, body),
            proven=is_proven(caller, key),
            witness=witness_of(caller, key, exchange),
            records=self.records,
            ttl_s=self._options.ttl_s,
        )
        # Before it is asked for, so that no lease is ours for which nobody cares.
        if not self.keeper.hold(attempt.record, attempt.token):
            raise Refused(refusals.TOO_MANY_HELD)
        return attempt

    def bid(self, attempt: Attempt) -> Bid:
        """Return what a store is asked for an attempt."""
        return Bid(
            token=attempt.token,
            fingerprint=attempt.fingerprint,
            lease_s=self._options.lease_s,
            ttl_s=self._options.ttl_s,
            rerun=self._options.after_crash == "run",
        )

    def judge(self, attempt: Attempt, claim: Claim) -> Answer | None:
        """Return the answer to repeat, or None where the attempt may do the work.

        Raises:
            Refused: Neither.
        """
        if claim.state is State.OURS:
            return None
        self.keeper.drop(attempt.token)
        if claim.fingerprint != attempt.fingerprint:
            raise Refused(refusals.MISMATCH)
        if claim.state is State.BUSY:
            raise Refused(refusals.IN_FLIGHT)
        if claim.state is State.CRASHED:
            raise Refused(refusals.UNKNOWN)
        if not attempt.proven:
            raise Refused(refusals.ANSWER_WITHHELD)
        answer = decode(claim.answer or b"")
        if answer is None or answer.body is None:
            raise Refused(refusals.ANSWER_NOT_KEPT)
        if answer.witness != attempt.witness:
            raise Refused(refusals.COOKIES_DIFFER)
        if self._events.listening:
            self._emit(
                AnswerReplayed(
                    at_s=self._clock.wall_s(), record=attempt.record, status=answer.status
                )
            )
        return answer

    def unbegun(self, attempt: Attempt, error: StoreUnavailable) -> Refused:
        """Return what to raise where the store did not take the bid, or nobody knows."""
        self.keeper.drop(attempt.token)
        if error.begun:
            self.forget(attempt)
        return Refused(refusals.STORE_AWAY)

    def forget(self, attempt: Attempt) -> None:
        """Set a record free, later, for which nothing was done."""
        self.keeper.drop(attempt.token)
        record, token = attempt.record, attempt.token
        self.keeper.owe(lambda records: records.release(record, token))

    def is_cut(self, exchange: Exchange) -> bool:
        """Return whether the time of a request is up, and its answer has not begun.

        What fails then was most likely cut off, be it that its framework says 500 for it or its
        app an error of its own.
        """
        return self._clock.monotonic_s() >= exchange.expires_s

    def abandon(self, attempt: Attempt) -> None:
        """Let the lease end now: the work was cut off, and nobody knows where."""
        self.keeper.drop(attempt.token)
        record, token = attempt.record, attempt.token
        self.keeper.owe(lambda records: records.renew(record, token, 0.0))
        if self._events.listening:
            self._emit(AttemptAbandoned(at_s=self._clock.wall_s(), record=record))

    def lasting_answer(self, attempt: Attempt, answer: Answer) -> bytes | None:
        """Return what to keep of an answer, or None where a repetition does the work again."""
        if not is_kept(answer.status, server_errors=self._options.server_errors):
            return None
        data = encode(replace(answer, witness=attempt.witness))
        reason = "unfinished" if answer.body is None else "size"
        if answer.body is not None and len(data) <= self.answer_bytes_max:
            return data
        self._tell_not_kept(attempt, reason)
        return encode(Answer(status=answer.status, headers=(), body=None))

    def failed_answer(self, attempt: Attempt) -> bytes | None:
        """As ``lasting_answer``, for work that ended in an exception."""
        return self.lasting_answer(attempt, Answer(status=_FAILED, headers=(), body=None))

    def settle(self, attempt: Attempt, data: bytes | None) -> None:
        """Keep an answer, or set the record free."""
        self.keeper.drop(attempt.token)
        try:
            if data is None:
                self.records.release(attempt.record, attempt.token)
                return
            held = self.records.finish(attempt.record, attempt.token, data, self._options.ttl_s)
        except StoreUnavailable:
            self._settle_later(attempt, data)
        else:
            self._settled(attempt, held=held)

    async def asettle(self, attempt: Attempt, data: bytes | None) -> None:
        """As ``settle``."""
        self.keeper.drop(attempt.token)
        try:
            if data is None:
                await self.records.arelease(attempt.record, attempt.token)
                return
            held = await self.records.afinish(
                attempt.record, attempt.token, data, self._options.ttl_s
            )
        except StoreUnavailable:
            self._settle_later(attempt, data)
        except asyncio.CancelledError:
            # The work was done, and what the store heard is not known; it may hear it twice.
            self._settle_later(attempt, data)
            raise
        else:
            self._settled(attempt, held=held)

    def _settled(self, attempt: Attempt, *, held: bool) -> None:
        if not held:
            self._tell_not_kept(attempt, "superseded")

    def _settle_later(self, attempt: Attempt, data: bytes | None) -> None:
        """Leave it to the keeper. The client gets its answer all the same: the work was done."""
        record, token, ttl_s = attempt.record, attempt.token, self._options.ttl_s
        if data is None:
            self.keeper.owe(lambda records: records.release(record, token))
        else:
            self.keeper.owe(partial(_finish, record=record, token=token, data=data, ttl_s=ttl_s))
            self._tell_not_kept(attempt, "store")

    def _tell_not_kept(self, attempt: Attempt, reason: str) -> None:
        if self._events.listening:
            self._emit(
                AnswerNotKept(at_s=self._clock.wall_s(), record=attempt.record, reason=reason)
            )

    def _tell_lost(self, record: str) -> None:
        if self._events.listening:
            self._emit(LeaseLost(at_s=self._clock.wall_s(), record=record))

    def _emit(self, event: Event) -> None:
        self._events.emit(event)


def _finish(records: Records, *, record: str, token: int, data: bytes, ttl_s: float) -> bool:
    return records.finish(record, token, data, ttl_s)
