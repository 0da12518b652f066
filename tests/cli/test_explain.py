"""``mainstay explain``, as the command line runs it."""

import json
from pathlib import Path

import pytest

from mainstay.cli.main import run

PAYMENTS = """\
service: shop
app: shop:app
dependencies:
  payments:
    url: https://user:hunter2@pay.example.com
    timeout: {total: 2s, attempt: auto}
    retry: 4
    rate_limit: 50/s
    hedge: p95
"""


def call(*arguments: str) -> int:
    """Run the command line; return its exit code."""
    with pytest.raises(SystemExit) as caught:
        run(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_ENV", raising=False)
    (tmp_path / "mainstay.yaml").write_text(PAYMENTS)
    return tmp_path


def values(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, str]]:
    assert call("explain", "payments", "--json", *arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    return {key: (one["value"], one["from"]) for key, one in answer["values"].items()}


def test_every_value_and_where_it_came_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = values(capsys)
    assert found["timeout.total"] == ("2s", "mainstay.yaml:6:22")
    assert found["timeout.attempt"] == ("auto", "mainstay.yaml:6:35")
    assert found["retry.attempts"] == ("4", "mainstay.yaml:7:12")
    assert found["retry.budget"] == ("20%", "default")
    assert found["rate_limit.rate"] == ("50/s", "mainstay.yaml:8:17")
    assert found["hedge.after"] == ("p95", "mainstay.yaml:9:12")
    assert found["breaker.shadow"] == ("false", "default")
    assert found["timeout.connect"] == ("2s", "default of an api, at most the total")


def test_a_check_says_whose_default_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = values(capsys)
    assert found["check.interval"] == ("10s", "inbound.health.services")
    assert found["check.failures"] == ("3", "inbound.health.services")
    assert found["check.timeout"] == ("2s", "inbound.health.timeout")
    text = PAYMENTS.replace("https://user:hunter2@pay.example.com", "postgresql://db/pay")
    (folder / "mainstay.yaml").write_text(text.replace("    rate_limit: 50/s\n", ""))
    assert values(capsys)["check.timeout"] == ("5s", "inbound.health.databases")


def test_the_lines_are_in_the_order_in_which_a_call_meets_the_parts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = list(values(capsys))
    order = ["fallback", "timeout.total", "bulkhead.limit", "rate_limit.rate", "retry.attempts",
             "breaker.failures", "timeout.attempt", "hedge.after"]  # fmt: skip
    assert [key for key in keys if key in order] == order


def test_an_overlay_is_named_where_it_decides(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mainstay.prod.yaml").write_text("dependencies: {payments: {retry: off}}\n")
    assert values(capsys, "--env", "prod")["retry"] == ("off", "mainstay.prod.yaml:1:34")


def test_a_password_in_a_url_is_not_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("explain", "payments") == 0
    out, err = capsys.readouterr()
    assert "https://***@pay.example.com" in out
    assert "hunter2" not in out + err


def test_the_word_of_the_environment_is_shown_beside_what_is_declared(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is in effect, and without what may be secret in either."""
    assert values(capsys)["url"] == ("https://***@pay.example.com", "mainstay.yaml:5:10")
    monkeypatch.setenv("MAINSTAY_URL_PAYMENTS", "http://me:pass@127.0.0.1:9?a=1&password=x#y")
    assert values(capsys)["url"] == (
        "http://***@127.0.0.1:9?a=***&password=***#y",
        "MAINSTAY_URL_PAYMENTS, instead of https://***@pay.example.com (mainstay.yaml:5:10)",
    )
    monkeypatch.setenv("MAINSTAY_URL_PAYMENTS", "https://user:hunter2@pay.example.com")
    assert values(capsys)["url"] == ("https://***@pay.example.com", "mainstay.yaml:5:10")


@pytest.mark.parametrize(
    "said",
    ["not a url", "http://[::1", "http://h:99999", "http://h:0", "http://", "http://:80", "h:80",
     "me:hunter2@h", "http://me:pa/ss@127.0.0.1:9"],
)  # fmt: skip
def test_a_word_of_the_environment_that_is_no_url_is_said_to_be_none(
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAINSTAY_URL_PAYMENTS", said)
    value, source = values(capsys)["url"]
    assert value == "no URL"
    assert source.startswith("MAINSTAY_URL_PAYMENTS, so that no call can be made, instead of ")


@pytest.mark.parametrize("said", ["unix:///run/valkey.sock", "sqlite:///a.db", "http://[::1]:80"])
def test_urls_of_all_kinds_are_urls(
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAINSTAY_URL_PAYMENTS", said)
    assert values(capsys)["url"][0] == said


def test_the_word_of_the_environment_for_another_service(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the dependency's own name goes before that of the service's."""
    text = PAYMENTS.replace("url: https://user:hunter2@pay.example.com", "service: till")
    (folder / "mainstay.yaml").write_text(text)
    monkeypatch.setenv("MAINSTAY_URL_TILL", "http://127.0.0.1:8")
    assert values(capsys)["url"] == ("http://127.0.0.1:8", "MAINSTAY_URL_TILL")
    monkeypatch.setenv("MAINSTAY_URL_PAYMENTS", "http://127.0.0.1:9")
    assert values(capsys)["url"] == ("http://127.0.0.1:9", "MAINSTAY_URL_PAYMENTS")


def test_a_total_that_follows_from_the_attempts_says_how(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAYMENTS.replace("{total: 2s, attempt: auto}", "{attempt: 800ms}")
    (folder / "mainstay.yaml").write_text(text.replace("retry: 4", "retry: 3"))
    found = values(capsys)
    assert found["timeout.total"] == ("2.55s", "default: 3 x 800ms + 150ms = 2.55s")


def test_what_nobody_declares_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("explain", "catalog") == 1
    err = capsys.readouterr().err
    assert "nobody declares a dependency 'catalog'; declared are: payments" in err


def test_where_nothing_is_declared_the_sentence_says_what_can_be_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mainstay.yaml").write_text("service: shop\napp: shop:app\n")
    assert call("explain", "catalog") == 1
    assert "no dependency is declared here; `mainstay explain inbound`" in capsys.readouterr().err


def test_of_two_callers_one_is_to_be_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        text = PAYMENTS.replace("service: shop", f"service: {name}")
        (folder / name / "mainstay.yaml").write_text(text)
    (folder / "mainstay.yaml").write_text("system: [one, two]\n")
    assert call("explain", "payments") == 1
    assert "say --service one or --service two" in capsys.readouterr().err
    assert call("explain", "payments", "--service", "two") == 0
    assert "as two calls it" in capsys.readouterr().out
    assert call("explain", "payments", "--service", "three") == 1
    assert "there is no service 'three'" in capsys.readouterr().err


def test_a_declaration_with_faults_is_told_as_ever(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mainstay.yaml").write_text(PAYMENTS.replace("retry: 4", "retry: many"))
    assert call("explain", "payments") == 2
    assert "mainstay.yaml:7:12" in capsys.readouterr().err


INBOUND = """\
service: shop
app: shop:app
dependencies:
  cache: {url: "valkey://127.0.0.1:6379", timeout: 1s}
inbound:
  deadline: 2s
  hosts: [shop.example]
  cors: off
  rate_limit:
    - 100/s
    - {name: login, rate: 5/min, by: client_ip, for: /login}
  shed: off
  session: {store: cache, keys: ["${file:key}"]}
"""


def test_inbound_is_explained_part_by_part(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mainstay.yaml").write_text(INBOUND)
    (folder / "key").write_text("k" * 40)
    assert call("explain", "inbound", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    found = {key: (one["value"], one["from"]) for key, one in answer["values"].items()}
    assert answer["service"] == "shop"
    assert found["deadline"] == ("2s", "mainstay.yaml:6:13")
    assert found["hosts"] == ("[shop.example]", "mainstay.yaml:7:3")
    assert found["cors"] == ("off", "mainstay.yaml:8:9")
    assert found["rate_limit[0].rate"] == ("100/s", "mainstay.yaml:10:7")
    assert found["rate_limit[1].for"] == ("[/login]", "mainstay.yaml:11:54")
    assert found["shed"] == ("off", "mainstay.yaml:12:9")
    assert found["trust"] == ("[127.0.0.0/8, ::1/128]", "default")
    assert found["idempotency"] == ("off", "default")
    assert "kkk" not in json.dumps(answer)
    keys = list(found)
    order = ["hosts", "rate_limit[0].rate", "deadline", "shed", "session.store", "drain"]
    assert [key for key in keys if key in order] == order


def test_what_holds_without_being_declared_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither `off` nor an empty mapping is what a client meets there."""
    (folder / "mainstay.yaml").write_text(
        "service: shop\napp: shop:app\ninbound:\n  headers: {permissions: {usb: [self, '*']}}\n"
        "  rate_limit: [7/min, {rate: 9/s, burst: 2, name: a}]\n"
        "  session: {store: cache}\n"
        "dependencies: {cache: {url: 'redis://127.0.0.1:6379', timeout: 1s}}\n"
    )
    assert call("explain", "inbound", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    found = {key: (one["value"], one["from"]) for key, one in answer["values"].items()}
    assert found["rate_limit[0].burst"] == ("7", "default: as many as rate names")
    assert found["session.keys"] == ("made at the first start", "default: in .mainstay/run")
    assert found["rate_limit[1].burst"] == ("2", "mainstay.yaml:5:42")
    assert found["headers.csp"] == ("of the preset", "default")
    value, source = found["headers.permissions"]
    assert value.startswith("{accelerometer: [], ")
    assert value.endswith(", usb: [self, *]}")
    assert (value.count("[]"), source) == (12, "mainstay.yaml:4:27")


def test_inbound_of_one_of_several_services(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "mainstay.yaml").write_text(f"service: {name}\napp: shop:app\n")
    (folder / "mainstay.yaml").write_text("system: [one, two]\n")
    assert call("explain", "inbound") == 1
    assert "say --service one or --service two" in capsys.readouterr().err
    assert call("explain", "inbound", "--service", "two") == 0
    assert "requests that arrive at two" in capsys.readouterr().out
    assert call("explain", "inbound", "--service", "three") == 1
    assert "there are: one, two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("inbound", "key", "source"),
    [
        ("{rate_limit: 1/s}", "rate_limit[0].rate", "mainstay.yaml:3:23"),
        ("{rate_limit: {rate: 1/s, burst: 3}}", "rate_limit[0].burst", "mainstay.yaml:3:42"),
        ("{headers: {csp: {img-src: [self]}}}", "headers.csp", "mainstay.yaml:3:27"),
        ("{headers: pages}", "headers.csp", "default"),
        ("{headers: {also: {x-team: shop}}}", "headers.also", "mainstay.yaml:3:28"),
        ("{headers: {permissions: {usb: [self]}}}", "headers.permissions", "mainstay.yaml:3:35"),
        ("{health: {links: {about: /about}}}", "health.links", "mainstay.yaml:3:28"),
        ("{health: {groups: {disks: [disk]}}}", "health.groups", "mainstay.yaml:3:29"),
        (
            "{rate_limit: {rate: 1/s, burst: 9, costs: {/a: 5}}}",
            "rate_limit[0].costs",
            "mainstay.yaml:3:53",
        ),
        (
            "{rate_limit: [1/s, {rate: 9/s, name: a, costs: {/a: 5}}]}",
            "rate_limit[1].costs",
            "mainstay.yaml:3:58",
        ),
    ],
)
def test_what_is_written_short_has_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str], inbound: str, key: str, source: str
) -> None:
    (folder / "mainstay.yaml").write_text(f"service: shop\napp: shop:app\ninbound: {inbound}\n")
    assert call("explain", "inbound", "--json") == 0
    assert json.loads(capsys.readouterr().out)["values"][key]["from"] == source
