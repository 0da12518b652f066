"""What a client does with a server that is well."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from tests.contract.stores.servers import LONG_S, until
from tests.contract.stores.servers import Valkey as Server
from tests.contract.valkey.askers import Tasks
from tests.contract.valkey.conftest import Connect
from tests.forking import fork

from mainstay.core.errors import PolicyMisused, StoreRefused, StoreUnavailable
from mainstay.state.valkey import Script, Valkey

PATIENT_S = 30.0
"""These tests are about answers; the bound is another test's."""

PASSWORD = "hunter2:@/#%"
QUOTED = "hunter2%3A%40%2F%23%25"


def test_answers_by_their_kind(server: Server, connect: Connect) -> None:
    asker = connect(server.url, timeout_s=PATIENT_S)
    asker.ask("FLUSHALL")
    assert asker.ask("SET", "a", "é") == b"OK"
    assert asker.ask("GET", "a") == "é".encode()
    assert asker.ask("GET", "none") is None
    assert asker.ask("INCRBY", "n", 5) == 5
    assert asker.ask("INCRBYFLOAT", "f", 0.5) == b"0.5"
    assert asker.ask("RPUSH", "l", b"\r\n", "$5") == 2
    assert asker.ask("LRANGE", "l", 0, -1) == [b"\r\n", b"$5"]
    assert asker.ask("GET", "x" * 100_000) is None


def test_an_error_is_the_callers_alone(server: Server, connect: Connect) -> None:
    asker = connect(server.url, timeout_s=PATIENT_S)
    asker.ask("SET", "text", "x")
    with pytest.raises(StoreRefused) as caught:
        asker.ask("INCR", "text")
    assert caught.value.code == "ERR"
    assert asker.ask("GET", "text") == b"x"


def test_a_large_answer_arrives_whole(server: Server, connect: Connect) -> None:
    asker = connect(server.url, timeout_s=PATIENT_S)
    body = os.urandom(3_000_000)
    asker.ask("SET", "large", body)
    assert asker.ask("GET", "large") == body


def test_what_others_share_is_not_changed(server: Server, connect: Connect) -> None:
    asker = connect(server.url)
    with pytest.raises(PolicyMisused):
        asker.ask("MULTI")


def test_name_password_and_database(server: Server, connect: Connect) -> None:
    host = f"127.0.0.1:{server.port}"
    plain = connect(server.url, timeout_s=PATIENT_S)
    plain.ask("ACL", "SETUSER", "me", "on", f">{PASSWORD}", "~*", "+@all")
    asker = connect(f"redis://me:{QUOTED}@{host}/7", timeout_s=PATIENT_S)
    asker.ask("SET", "here", "7")
    assert asker.ask("ACL", "WHOAMI") == b"me"
    assert plain.ask("GET", "here") is None


def test_a_wrong_password_is_said_without_showing_it(server: Server, connect: Connect) -> None:
    asker = connect(f"redis://nobody:{QUOTED}@127.0.0.1:{server.port}", timeout_s=PATIENT_S)
    with pytest.raises(StoreUnavailable, match="WRONGPASS") as caught:
        asker.ask("PING")
    told: BaseException | None = caught.value
    while told is not None:
        assert "hunter2" not in f"{told!r} {told}"
        told = told.__cause__ or told.__context__


def test_a_unix_socket(connect: Connect, tmp_path: Path) -> None:
    class OnSocket(Server):
        def command(self) -> list[str]:
            return [*super().command(), "--unixsocket", str(path)]

    path = tmp_path / "v.sock"
    server = OnSocket()
    try:
        server.start()
        asker = connect(f"unix://{path}?db=2", timeout_s=PATIENT_S)
        assert asker.ask("SET", "a", "1") == b"OK"
        assert asker.ask("GET", "a") == b"1"
        assert asker.valkey.label == f"valkey at {path}"
    finally:
        server.close()


def test_scripts_run_by_name_and_are_told_again_when_forgotten(server: Server) -> None:
    script = Script("return {KEYS[1], ARGV[1], ARGV[2]}")
    valkey = Valkey(server.url, timeout_s=PATIENT_S)

    async def in_a_task() -> object:
        try:
            return await valkey.arun_script(script, ["k"], 1, "x")
        finally:
            await valkey.aclose()

    try:
        for _ in range(2):
            valkey.call("SCRIPT", "FLUSH")
            assert valkey.run_script(script, ["k"], 1, "x") == [b"k", b"1", b"x"]
        valkey.call("SCRIPT", "FLUSH")
        # What a script does wrong is no reason to send it again.
        with pytest.raises(StoreRefused, match="nonsense"):
            valkey.run_script(Script("return redis.error_reply('MINE nonsense')"), [])
        closed_too = Valkey(server.url, timeout_s=PATIENT_S)
        valkey.close()
        valkey = closed_too
        assert asyncio.run(in_a_task()) == [b"k", b"1", b"x"]
    finally:
        valkey.close()


async def test_calls_of_one_turn_leave_together(server: Server) -> None:
    """A thousand calls take a few writes, and their answers are each its own."""
    valkey = Valkey(server.url, timeout_s=PATIENT_S)
    await valkey.acall("PING")
    before = await processed(valkey)
    answers = await asyncio.gather(*(valkey.acall("ECHO", n) for n in range(1000)))
    assert answers == [str(n).encode() for n in range(1000)]
    # The server reads up to 16 KiB at once; a read a call would be a thousand.
    assert await processed(valkey) - before < 100
    await valkey.aclose()


async def processed(valkey: Valkey) -> int:
    info = await valkey.acall("INFO", "stats")
    assert isinstance(info, bytes)
    lines = dict(line.split(b":") for line in info.split(b"\r\n") if b":" in line)
    return int(lines[b"total_reads_processed"])


async def test_a_cancelled_call_disturbs_no_other(server: Server) -> None:
    valkey = Valkey(server.url, timeout_s=PATIENT_S)
    await valkey.acall("PING")
    for round_ in range(50):
        tasks = [asyncio.ensure_future(valkey.acall("ECHO", f"{round_}-{n}")) for n in range(20)]
        for _ in range(round_ % 4):
            await asyncio.sleep(0)
        for one in tasks[::3]:
            one.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for n, answer in enumerate(found):
            assert answer == f"{round_}-{n}".encode() or isinstance(answer, asyncio.CancelledError)
        assert all(found[n] == f"{round_}-{n}".encode() for n in range(20) if n % 3)
    await valkey.aclose()


async def test_more_calls_than_allowed_are_sent_away_at_once(server: Server) -> None:
    valkey = Valkey(server.url, timeout_s=PATIENT_S, outstanding_max=10)
    calls = [valkey.acall("ECHO", n) for n in range(15)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert found[:10] == [str(n).encode() for n in range(10)]
    assert all(isinstance(one, StoreUnavailable) and not one.begun for one in found[10:])
    assert await valkey.acall("PING") == b"PONG"
    await valkey.aclose()


def test_threads_take_no_more_connections_than_allowed(server: Server) -> None:
    valkey = Valkey(server.url, timeout_s=PATIENT_S, connections_max=3)
    watch = Valkey(server.url, timeout_s=PATIENT_S)
    # Those of the tests before are on their way out.
    until(lambda: clients(watch) == 1)
    wrong: list[int] = []

    def ask(number: int) -> None:
        said = [valkey.call("ECHO", number) for _ in range(50)]
        wrong.extend(number for one in said if one != str(number).encode())

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
    assert 2 <= clients(watch) <= 4
    valkey.close()
    until(lambda: clients(watch) == 1)
    watch.close()


def clients(valkey: Valkey) -> int:
    info = valkey.call("INFO", "clients")
    assert isinstance(info, bytes)
    return int(info.split(b"connected_clients:")[1].split(b"\r\n")[0])


def test_several_loops_share_a_client(server: Server) -> None:
    valkey = Valkey(server.url, timeout_s=PATIENT_S)
    loops = [Tasks(valkey, None) for _ in range(3)]
    assert [one.ask("ECHO", n) for n, one in enumerate(loops)] == [b"0", b"1", b"2"]
    assert valkey.call("ECHO", "thread") == b"thread"
    loops[0].run(valkey.aclose())
    # The others go on until they close their own side.
    assert loops[1].ask("ECHO", "1") == b"1"
    with pytest.raises(StoreUnavailable, match="closed"):
        loops[0].ask("PING")
    with pytest.raises(StoreUnavailable, match="closed"):
        valkey.call("PING")
    for one in loops:
        one.close()


def test_loops_that_come_and_go_leave_nothing(server: Server) -> None:
    valkey = Valkey(server.url, timeout_s=PATIENT_S)

    async def once(number: int) -> object:
        try:
            return await valkey.acall("ECHO", number)
        finally:
            side = valkey._loops.pop(asyncio.get_running_loop())
            await side.close()

    for number in range(100):  # More than may be at once.
        assert asyncio.run(once(number)) == str(number).encode()
    valkey.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(server: Server) -> None:
    """Parent and child ask at once; neither hears the other's answers."""
    valkey = Valkey(server.url, timeout_s=PATIENT_S)
    assert valkey.call("ECHO", "before") == b"before"
    child = fork()
    if child == 0:
        wrong = 2
        try:
            wrong = sum(valkey.call("ECHO", f"c{n}") != f"c{n}".encode() for n in range(300))
        finally:
            os._exit(min(wrong, 100))
    try:
        assert all(valkey.call("ECHO", f"p{n}") == f"p{n}".encode() for n in range(300))
    finally:
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    valkey.close()


async def test_a_held_up_loop_is_no_hanging_server(server: Server) -> None:
    """The answer came while the program did something else: that is not the server's fault."""
    from mainstay.core.clock import pause

    valkey = Valkey(server.url)
    for _ in range(100):  # A busy machine may need more than a bound to open it.
        try:
            await valkey.acall("PING")
            break
        except StoreUnavailable:
            await asyncio.sleep(0.05)
    call = asyncio.ensure_future(valkey.acall("ECHO", "here"))
    await asyncio.sleep(0)
    pause(0.3)
    assert await asyncio.wait_for(call, LONG_S) == b"here"
    await valkey.aclose()
