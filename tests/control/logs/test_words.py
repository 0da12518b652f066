import json

from mainstay.control.logs.words import TRAIL_LINES_MAX, words_of


def test_lines_in_json_are_read_out() -> None:
    failed = {"level": "error", "event": "startup\nfailed", "exception": "Traceback\nKeyError: 1"}
    tail = ["plain", json.dumps({"level": "info", "event": "serving shop:app"}), json.dumps(failed)]
    assert words_of(tail) == [
        "plain",
        "serving shop:app",
        "error: startup",
        "  failed",
        "  Traceback",
        "  KeyError: 1",
    ]


def test_of_a_long_exception_the_end_is_told() -> None:
    trail = "\n".join(f"line {number}" for number in range(100))
    words = words_of([json.dumps({"event": "failed", "exception": trail})])
    assert len(words) == 1 + TRAIL_LINES_MAX
    assert words[-1] == "  line 99"


def test_what_is_no_line_of_a_log_stays_as_it_is() -> None:
    tail = ["{", "[1]", '{"a": 1}', '{"event": null}', ""]
    assert words_of(tail) == tail
