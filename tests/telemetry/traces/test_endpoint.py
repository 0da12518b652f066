import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.telemetry.traces.endpoint import endpoint_of, instance_of, resource_of

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
WHOLE = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.mark.parametrize(
    ("declared", "environ", "found"),
    [
        (None, {}, None),
        ("http://c:4318", {}, ("c", 4318, "/v1/traces", False)),
        ("https://c/otlp/", {}, ("c", 443, "/otlp/v1/traces", True)),
        (None, {BASE: "http://[::1]:1"}, ("::1", 1, "/v1/traces", False)),
        (None, {WHOLE: "http://c/own?x=1"}, ("c", 80, "/own?x=1", False)),
        (None, {BASE: "http://a", WHOLE: "http://c"}, ("c", 80, "/", False)),
        ("http://d", {BASE: "http://a", WHOLE: "http://c"}, ("d", 80, "/v1/traces", False)),
        ("http://d/v1/traces", {}, ("d", 80, "/v1/traces", False)),
        ("http://d/a/v1/traces/", {}, ("d", 80, "/a/v1/traces", False)),
        ("http://d", {"OTEL_SDK_DISABLED": "true"}, None),
        ("http://d", {"OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)
def test_where_spans_go(
    declared: str | None, environ: dict[str, str], found: tuple[object, ...] | None
) -> None:
    endpoint = endpoint_of(declared, environ)
    shown = endpoint and (endpoint.host, endpoint.port, endpoint.path, endpoint.secure)
    assert shown == found


@pytest.mark.parametrize("url", ["ftp://user:hunter2@c", "http://", "http://c:99999999", "//c"])
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        endpoint_of(None, {WHOLE: url})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://a..b:4318", "host"),
        (f"http://{'a' * 64}:4318", "host"),
        ("http://c:0", "port 0"),
        ("http://c/\u00e9", "ASCII"),
        ("http://c/a b", "blanks"),
        ("http://c?x=\u00e9", "ASCII"),
        ("http://c?x=1", "query"),
        ("http://k@[::1/1", "URL"),
    ],
)
def test_what_could_never_be_sent_to_is_refused_in_words(url: str, why: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"the endpoint of traces .*{why}"):
        endpoint_of(url, {})


@pytest.mark.parametrize(
    ("said", "why"),
    [("a%20b=c", "names no header"), ("authorization=%E2%82%AC", "authorization' is not ASCII")],
)
def test_headers_that_can_not_be_sent_are_refused_in_words(said: str, why: str) -> None:
    with pytest.raises(ConfigInvalid, match=why) as raised:
        endpoint_of("http://c", {"OTEL_EXPORTER_OTLP_HEADERS": said})
    assert "\u20ac" not in str(raised.value)


def test_a_name_and_password_in_the_url_are_sent_and_never_shown() -> None:
    endpoint = endpoint_of("http://u:hunter2%40@c:1", {})
    assert endpoint is not None
    assert endpoint.headers == {"authorization": "Basic dTpodW50ZXIyQA=="}
    assert "hunter2" not in repr(endpoint) + str(endpoint)
    named = endpoint_of("http://u:p@c", {"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20x"})
    assert named is not None
    assert named.headers == {"Authorization": "Bearer x"}


def test_headers_are_sent_and_never_shown() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2, x = 1 ,bad,=no,y=a%0ab",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x=2",
    }
    endpoint = endpoint_of("http://c", environ)
    assert endpoint is not None
    assert endpoint.headers == {"authorization": "Bearer hunter2", "x": "2"}
    assert "hunter2" not in repr(endpoint) + str(endpoint)


def test_a_resource_says_who_it_is() -> None:
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "team=blue,service.name=other"}
    found = resource_of(
        service="shop",
        version="v1",
        environment="prod",
        instance="shop-1.7",
        environ=environ,
        library_version="0.1",
    )
    assert found["service.name"] == "shop"
    assert found["service.version"] == "v1"
    assert found["deployment.environment.name"] == "prod"
    assert found["service.instance.id"] == "shop-1.7"
    assert found["team"] == "blue"


def test_workers_of_one_replica_are_told_apart() -> None:
    assert instance_of({"MAINSTAY_REPLICA": "shop-1"}, 7) == "shop-1.7"
    assert instance_of({}, 7) == "process.7"
