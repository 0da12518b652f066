from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.processes.environment import child_environment

variables = st.dictionaries(
    st.sampled_from(["PATH", "PYTHONHOME", "LISTEN_FDS", "MAINSTAY_REPLICA", "PORT", "A"]),
    st.text(max_size=5),
)


@given(base=variables, extra=variables)
def test_what_is_given_has_the_last_word(base: dict[str, str], extra: dict[str, str]) -> None:
    environment = child_environment(base, extra)
    assert extra.items() <= environment.items()


def test_what_is_meant_for_the_daemon_alone_stays_behind() -> None:
    base = {
        "PATH": "/bin",
        "PYTHONPATH": "/lib",
        "PYTHONHOME": "/other",
        "PYTHONINSPECT": "1",
        "NOTIFY_SOCKET": "/run/notify",
        "LISTEN_FDS": "1",
        "MAINSTAY_REPLICA": "outer-1",
    }
    assert child_environment(base, {"PORT": "1"}) == {
        "PATH": "/bin",
        "PYTHONPATH": "/lib",
        "PYTHONUNBUFFERED": "1",
        "PORT": "1",
    }


def test_buffering_can_be_asked_for() -> None:
    assert child_environment({}, {"PYTHONUNBUFFERED": ""}) == {"PYTHONUNBUFFERED": ""}
