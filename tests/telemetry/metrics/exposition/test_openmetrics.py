"""OpenMetrics by its grammar, as vectors: what we write, and that the reader takes nothing less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.telemetry.metrics.exposition.grammar import Wrong, read

from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.telemetry.metrics.cells import Exemplar
from mainstay.telemetry.metrics.exposition.text import blocks
from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics
from mainstay.telemetry.metrics.snapshot import Family, Snapshot

HISTOGRAM = (
    '# TYPE a histogram\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 3\na_count 3\na_sum 4.5\n# EOF\n'
)

WRITTEN: dict[str, tuple[Snapshot, str]] = {
    "nothing": ({}, "# EOF\n"),
    "a family without a series": (
        {Family(name="a", kind=Kind.GAUGE, help="x", labels=("l",)): {}},
        "# TYPE a gauge\n# HELP a x\n# EOF\n",
    ),
    "a counter": (
        {Family(name="a", kind=Kind.COUNTER, help="x"): {(): (3.0,)}},
        "# TYPE a counter\n# HELP a x\na_total 3.0\n# EOF\n",
    ),
    "a unit, at the end of its name": (
        {Family(name="a_bytes", kind=Kind.GAUGE, help="x", unit="bytes"): {(): (3.0,)}},
        "# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n# HELP a_bytes x\na_bytes 3.0\n# EOF\n",
    ),
    "an info": (
        {Family(name="a", kind=Kind.INFO, help="x", labels=("v",)): {("1",): (1.0,)}},
        '# TYPE a info\n# HELP a x\na_info{v="1"} 1.0\n# EOF\n',
    ),
    "a histogram": (
        {
            Family(name="a", kind=Kind.HISTOGRAM, help="x", bounds=(0.5, 1.0)): {
                (): (1.0, 2.0, 3.0, 9.5)
            }
        },
        (
            '# TYPE a histogram\n# HELP a x\na_bucket{le="0.5"} 1.0\na_bucket{le="1.0"} 3.0\n'
            'a_bucket{le="+Inf"} 6.0\na_count 6.0\na_sum 9.5\n# EOF\n'
        ),
    ),
    "escapes of a label": (
        {Family(name="a", kind=Kind.GAUGE, help="x", labels=("l",)): {('"\\\n\t\r',): (1.0,)}},
        '# TYPE a gauge\n# HELP a x\na{l="\\"\\\\\\n\t\r"} 1.0\n# EOF\n',
    ),
    "a backslash before an n is no line feed": (
        {Family(name="a", kind=Kind.GAUGE, help="x", labels=("l",)): {("\\n",): (1.0,)}},
        '# TYPE a gauge\n# HELP a x\na{l="\\\\n"} 1.0\n# EOF\n',
    ),
    "escapes of a sentence": (
        {Family(name="a", kind=Kind.GAUGE, help='say "x"\\\nto b'): {(): (1.0,)}},
        '# TYPE a gauge\n# HELP a say \\"x\\"\\\\\\nto b\na 1.0\n# EOF\n',
    ),
    "letters of any language": (
        {Family(name="a", kind=Kind.GAUGE, help="größe", labels=("l",)): {("東京 🚀",): (1.0,)}},
        '# TYPE a gauge\n# HELP a größe\na{l="東京 🚀"} 1.0\n# EOF\n',
    ),
    "a label without a value is left away": (
        {Family(name="a", kind=Kind.GAUGE, help="x", labels=("l", "m")): {("", "y"): (1.0,)}},
        '# TYPE a gauge\n# HELP a x\na{m="y"} 1.0\n# EOF\n',
    ),
    "numbers": (
        {
            Family(name="a", kind=Kind.GAUGE, help="x", labels=("l",)): {
                ("1",): (float("inf"),), ("2",): (float("-inf"),), ("3",): (float("nan"),),
                ("4",): (1e300,), ("5",): (5e-324,), ("6",): (-0.0,), ("7",): (2**53 + 1,),
            }
        },
        (
            '# TYPE a gauge\n# HELP a x\na{l="1"} +Inf\na{l="2"} -Inf\na{l="3"} NaN\n'
            'a{l="4"} 1e+300\na{l="5"} 5e-324\na{l="6"} -0.0\n'
            'a{l="7"} 9007199254740993\n# EOF\n'
        ),
    ),
    "families in the order of their names, each in one piece": (
        {
            Family(name="b", kind=Kind.GAUGE, help="x"): {(): (1.0,)},
            Family(name="a", kind=Kind.GAUGE, help="x"): {(): (2.0,)},
        },
        "# TYPE a gauge\n# HELP a x\na 2.0\n# TYPE b gauge\n# HELP b x\nb 1.0\n# EOF\n",
    ),
}  # fmt: skip

WRONG = {
    "no end": "# TYPE a gauge\na 1\n",
    "an end without a line feed": "# TYPE a gauge\na 1\n# EOF",
    "something after the end": "# EOF\n# TYPE a gauge\n",
    "two ends": "# EOF\n# EOF\n",
    "an empty line": "# TYPE a gauge\n\na 1\n# EOF\n",
    "a comment": "# hello\n# EOF\n",
    "a name with a dash": "# TYPE a-b gauge\na-b 1\n# EOF\n",
    "a name that begins with a digit": "# TYPE 1a gauge\n1a 1\n# EOF\n",
    "a label with a colon": '# TYPE a gauge\na{l:m="x"} 1\n# EOF\n',
    "a label twice": '# TYPE a gauge\na{l="x",l="y"} 1\n# EOF\n',
    "a comma at the end of labels": '# TYPE a gauge\na{l="x",} 1\n# EOF\n',
    "a label without quotes": "# TYPE a gauge\na{l=x} 1\n# EOF\n",
    "a quote that is not escaped": '# TYPE a gauge\na{l="x"y"} 1\n# EOF\n',
    "an escape that is none": '# TYPE a gauge\na{l="\\x"} 1\n# EOF\n',
    "a backslash at the end of a value": '# TYPE a gauge\na{l="\\"} 1\n# EOF\n',
    "two blanks": "# TYPE a gauge\na  1\n# EOF\n",
    "a blank at the end": "# TYPE a gauge\na 1 \n# EOF\n",
    "no number": "# TYPE a gauge\na one\n# EOF\n",
    "a number by groups": "# TYPE a gauge\na 1_000\n# EOF\n",
    "a number in hex": "# TYPE a gauge\na 0x10\n# EOF\n",
    "a counter without _total": "# TYPE a counter\na 1\n# EOF\n",
    "a counter below nothing": "# TYPE a counter\na_total -1\n# EOF\n",
    "a counter that is no number": "# TYPE a counter\na_total NaN\n# EOF\n",
    "an info of 2": '# TYPE a info\na_info{v="1"} 2\n# EOF\n',
    "a kind that is none": "# TYPE a meter\na 1\n# EOF\n",
    "a family twice": "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\n# EOF\n",
    "a sample twice": "# TYPE a gauge\na 1\na 1\n# EOF\n",
    "a sample of another": "# TYPE a gauge\nb 1\n# EOF\n",
    "a unit that its name has not": "# TYPE a gauge\n# UNIT a bytes\na 1\n# EOF\n",
    "told about after its samples": "# TYPE a gauge\na 1\n# HELP a x\n# EOF\n",
    "no bucket for all": HISTOGRAM.replace('a_bucket{le="+Inf"} 3\n', ""),
    "buckets that fall": HISTOGRAM.replace('"1.0"} 2', '"1.0"} 4'),
    "a count that is not that of all": HISTOGRAM.replace("a_count 3", "a_count 2"),
    "an exemplar of a gauge": '# TYPE a gauge\na 1 # {t="x"} 1\n# EOF\n',
    "an exemplar that is too long": HISTOGRAM.replace('0"} 2', f'0"}} 2 # {{t="{"x" * 128}"}} 1'),
}

RIGHT = {
    "a histogram": HISTOGRAM,
    "an exemplar with a time": HISTOGRAM.replace('0"} 2', '0"} 2 # {t="x"} 0.5 1520879607.789'),
    "an exemplar without": HISTOGRAM.replace('0"} 2', '0"} 2 # {t="x"} 0.5'),
    "an exemplar of no label": HISTOGRAM.replace('0"} 2', '0"} 2 # {} 0.5'),
    "a counter and when it was created": "# TYPE a counter\na_total 1\na_created 5.5\n# EOF\n",
}


@pytest.mark.parametrize("what", WRITTEN)
def test_what_is_written_is_this_to_the_letter(what: str) -> None:
    snapshot, text = WRITTEN[what]
    assert "".join(blocks(snapshot, openmetrics=True)) == text
    read(text)
    list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # It ships no types.


@pytest.mark.parametrize("what", WRONG)
def test_the_reader_takes_nothing_that_breaks_a_rule(what: str) -> None:
    """Else nothing would follow from that it takes what we write."""
    with pytest.raises(Wrong):
        read(WRONG[what])


@pytest.mark.parametrize("what", RIGHT)
def test_the_reader_takes_what_the_specification_has(what: str) -> None:
    assert set(read(RIGHT[what])) == {"a"}


def test_an_exemplar_stands_behind_its_bucket_as_the_grammar_has_it() -> None:
    registry = Registry()
    cell = registry.histogram("latency", "x", labels=("route",), bounds=(0.5, 1.0)).labels("/a")
    for value, trace_id in ((0.5, "ab" * 16), (7.0, "cd" * 16)):
        cell.observe(value)
        cell.exemplify(Exemplar(value, trace_id, 5.25))
    pieces = blocks(
        registry.snapshot(), openmetrics=True, exemplars=registry.exemplars(), wall_offset_s=1e9
    )
    text = "".join(pieces)
    latency = read(text)["latency_seconds"]
    found = {dict(labels)["le"]: one for (_, labels), one in latency.exemplars.items()}
    assert found == {
        "0.5": ((("trace_id", "ab" * 16),), 0.5),
        "+Inf": ((("trace_id", "cd" * 16),), 7.0),
    }
    assert f' # {{trace_id="{"ab" * 16}"}} 0.5 1000000005.250\n' in text


words = st.text(st.characters(codec="utf-8"), max_size=20)


@given(values=st.dictionaries(st.tuples(words, words), st.floats(0), max_size=5), doc=words)
def test_any_label_is_read_as_it_was(values: dict[tuple[str, str], float], doc: str) -> None:
    """Law: what is written is of the grammar, and says what it was made of."""
    depth = Family(name="depth", kind=Kind.GAUGE, help=doc, labels=("a", "b"))
    snapshot: Snapshot = {depth: {labels: (value,) for labels, value in values.items()}}
    found = read("".join(blocks(snapshot, openmetrics=True)))["depth"]
    assert found.told == doc
    assert found.samples == {
        ("depth", tuple((n, v) for n, v in zip("ab", labels, strict=True) if v)): value
        for labels, value in values.items()
    }


def test_all_that_a_service_tells_is_of_the_grammar() -> None:
    metrics = ServiceMetrics(Declaration(service="web", app="web:app"), Metrics(), environ={})
    found = read(metrics.endpoint.answer(b"application/openmetrics-text").body.decode())
    assert found["target"].kind == "info"
    assert found["process_cpu_seconds"].unit == "seconds"
    # When a series began is told by none: after a restart, and with several processes, nobody
    # could say it without being wrong for most of them.
    assert not any(name.endswith("_created") for one in found.values() for name, _ in one.samples)
