import re
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from mainstay.edge.envoy.private_paths import hidden_route
from mainstay.spec.declaration import Declaration
from mainstay.spec.health import Health
from mainstay.spec.inbound import Inbound
from mainstay.spec.telemetry import Metrics, Telemetry

ROOTS = st.from_regex(r"/[!-~]{0,20}", fullmatch=True)


def hides(root: str, path: str, metrics: Metrics | None = None) -> bool:
    """Whether the route for health mounted at ``root`` takes ``path`` from outside."""
    inbound, telemetry = Inbound(health=Health(path=root)), Telemetry(metrics=metrics)
    found = hidden_route(
        Declaration(service="web", app="a:b", inbound=inbound, telemetry=telemetry)
    )
    assert found is not None
    match = found["match"]
    assert isinstance(match, dict)
    hidden, opened = match["safe_regex"]["regex"], match["headers"][1]
    assert opened["invert_match"]
    return bool(
        re.fullmatch(hidden, path)
        and not re.fullmatch(opened["string_match"]["safe_regex"]["regex"], path)
    )


def encoded(draw: st.DrawFn, path: str) -> str:
    """The same path to the app: some of what Envoy leaves encoded is encoded, in either case."""

    def one(letter: str) -> str:
        if letter.isalnum() or letter in "-._~" or not draw(st.booleans()):
            return letter
        code = f"%{ord(letter):02X}"
        return code if draw(st.booleans()) else code.lower()

    return "".join(map(one, path))


@given(root=ROOTS, data=st.data())
def test_what_the_app_takes_for_its_health_is_hidden_however_it_is_encoded(
    root: str, data: st.DataObject
) -> None:
    bare = root.rstrip("/")
    path = (bare or "") + (data.draw(st.sampled_from(["", "/startup"])) if bare else "/startup")
    spelled = data.draw(st.composite(encoded)(path))
    assert unquote(spelled) == unquote(path) or "%" in root
    assert hides(root, spelled)


@given(name=st.from_regex(r"[!-~]{1,20}", fullmatch=True), data=st.data())
def test_groups_are_hidden_beside_an_app_at_the_root(name: str, data: st.DataObject) -> None:
    assert hides("/", data.draw(st.composite(encoded)(f"/group/{name}")))
    for own in ("/", "/group", f"/groups/{name}", f"/my/group/{name}"):
        assert not hides("/", own)


@given(root=ROOTS)
def test_what_a_load_balancer_asks_is_open(root: str) -> None:
    bare = root.rstrip("/")
    assert not hides(root, f"{bare}/live")
    assert not hides(root, f"{bare}/ready")
    assert not hides(root, f"{bare}s") or not bare


@given(path=ROOTS.filter(lambda path: path != "/"), data=st.data())
def test_metrics_are_hidden_however_their_path_is_encoded(path: str, data: st.DataObject) -> None:
    spelled = data.draw(st.composite(encoded)(path))
    assert hides("/health", spelled, Metrics(path=path))


def test_of_metrics_nothing_else_is_hidden() -> None:
    for path in ("/metric", "/metricsx", "/metrics/of-users", "/v1/metrics"):
        assert not hides("/health", path, Metrics())
    assert not hides("/health", "/metrics", None)


def test_a_command_has_nothing_that_is_ours_to_hide() -> None:
    assert hidden_route(Declaration(service="web", command=("serve",))) is None
