import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.telemetry.metrics.names import LABELS_MAX, Kind, check_labels, family_name


@pytest.mark.parametrize(
    ("name", "kind", "unit", "told"),
    [
        ("orders", Kind.COUNTER, "", "orders"),
        ("orders_total", Kind.COUNTER, "", "orders"),
        ("sent", Kind.COUNTER, "bytes", "sent_bytes"),
        ("sent_bytes_total", Kind.COUNTER, "bytes", "sent_bytes"),
        ("checkout", Kind.HISTOGRAM, "seconds", "checkout_seconds"),
        ("checkout_seconds", Kind.HISTOGRAM, "seconds", "checkout_seconds"),
        ("queue_depth", Kind.GAUGE, "", "queue_depth"),
        ("_x9", Kind.GAUGE, "", "_x9"),
    ],
)
def test_suffixes_are_those_of_openmetrics(name: str, kind: Kind, unit: str, told: str) -> None:
    assert family_name(name, kind, unit) == told


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", Kind.GAUGE),
        ("9lives", Kind.GAUGE),
        ("orders.placed", Kind.COUNTER),
        ("job:orders", Kind.COUNTER),
        ("größe", Kind.GAUGE),
        ("orders\n", Kind.COUNTER),
        ("x" * 201, Kind.GAUGE),
        ("orders_total", Kind.GAUGE),
        ("orders_count", Kind.COUNTER),
        ("orders_total_total", Kind.COUNTER),
        ("_total", Kind.COUNTER),
        ("latency_bucket", Kind.HISTOGRAM),
        ("build_info", Kind.GAUGE),
        ("orders_created", Kind.COUNTER),
    ],
)
def test_what_can_be_no_name_is_refused_in_words(name: str, kind: Kind) -> None:
    with pytest.raises(ValueError, match="can't name a"):
        family_name(name, kind, "")


@pytest.mark.parametrize("unit", ["Seconds", "m/s", "s ", "9"])
def test_a_unit_is_one_word(unit: str) -> None:
    with pytest.raises(ValueError, match="is no unit"):
        family_name("x", Kind.GAUGE, unit)


@given(st.text(max_size=300), st.sampled_from(list(Kind)), st.sampled_from(["", "seconds"]))
def test_a_name_that_is_taken_stays_what_it_is(name: str, kind: Kind, unit: str) -> None:
    """Law: what was made of a name is made of it again; nothing gets longer each time."""
    try:
        once = family_name(name, kind, unit)
    except ValueError:
        return
    assert family_name(once, kind, unit) == once


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (("le",), "kept for histograms"),
        (("quantile",), "kept for histograms"),
        (("__name__",), "can't name a label"),
        (("a-b",), "can't name a label"),
        (("",), "can't name a label"),
        (("a", "a"), "there twice"),
        (tuple(f"l{n}" for n in range(LABELS_MAX + 1)), "more than"),
        ("region", "a sequence of names"),
    ],
)
def test_what_can_be_no_label_is_refused_in_words(labels: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_labels("orders", labels)
