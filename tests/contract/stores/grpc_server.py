"""A gRPC server whose methods do what they are asked: ``python grpc_server.py PORT``.

Messages are plain bytes, so that no code is generated. ``/shop.Test/Seen`` answers what the other
methods were called with, as JSON.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.

THREADS = 64


class Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # As above.
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[dict[str, Any]] = []
        self._counts: dict[bytes, int] = {}
        self._active = 0
        self._most = 0
        self._streams = 0
        self._left: dict[bytes, int] = {}

    def service(self, details: Any) -> Any:
        name = details.method.rpartition("/")[2]
        match name:
            case "Stream":
                return grpc.unary_stream_rpc_method_handler(self.stream)
            case "Up":
                return grpc.stream_unary_rpc_method_handler(lambda parts, _: b"".join(parts))
            case "Both":
                return grpc.stream_stream_rpc_method_handler(lambda parts, _: parts)
            case _:
                return grpc.unary_unary_rpc_method_handler(self.noted(name))

    def noted(self, name: str) -> Callable[[bytes, Any], bytes]:
        work: Callable[[bytes, Any], bytes] = getattr(self, name.lower())

        def call(request: bytes, context: Any) -> bytes:
            if name == "Seen":
                return work(request, context)
            with self._lock:
                self._active += 1
                self._most = max(self._most, self._active)
                self._seen.append(
                    {
                        "method": name,
                        "left_s": context.time_remaining(),
                        "metadata": dict(context.invocation_metadata()),
                    }
                )
            try:
                return work(request, context)
            finally:
                with self._lock:
                    self._active -= 1

        return call

    def echo(self, request: bytes, _context: Any) -> bytes:
        return request

    def count(self, request: bytes, _context: Any) -> bytes:
        """Count one up, for each request apart."""
        with self._lock:
            count = self._counts[request] = self._counts.get(request, 0) + 1
            return str(count).encode()

    def slow(self, request: bytes, _context: Any) -> bytes:
        threading.Event().wait(float(request))
        return request

    def abort(self, request: bytes, context: Any) -> bytes:
        """Fail as asked: the code, how often (0: always), and the pushback, if any."""
        code, times, pushback = request.decode().split(",")
        with self._lock:
            left = self._left.setdefault(request, int(times))
            self._left[request] = left - 1
        if left > 0 or int(times) == 0:
            if pushback:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", pushback),))
            context.abort(getattr(grpc.StatusCode, code), "as asked")
        return b"at last"

    def relay(self, request: bytes, context: Any) -> bytes:
        """Fail with the words in which a server of this one's own could not be reached."""
        context.abort(grpc.StatusCode.UNAVAILABLE, request.decode())
        return b""

    def seen(self, _request: bytes, _context: Any) -> bytes:
        with self._lock:
            return json.dumps(
                {"calls": self._seen, "most": self._most, "streams": self._streams}
            ).encode()

    def stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        """Send so many messages; then OK, or the code, or nothing for ever."""
        number, end = request.decode().split(",")
        with self._lock:
            self._streams += 1
        if not context.add_callback(self.streamed):
            self.streamed()  # It ended before it began.
        for index in range(int(number)):
            yield str(index).encode()
        if end == "hang":
            while context.is_active():
                threading.Event().wait(0.05)
        elif end:
            context.abort(getattr(grpc.StatusCode, end), "as asked")

    def streamed(self) -> None:
        with self._lock:
            self._streams -= 1


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(THREADS), options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((Methods(),))
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
