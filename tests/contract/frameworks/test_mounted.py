"""Applications within applications: paths are as the framework has them, wrapped or not."""

import pytest
from tests.contract.frameworks.running import Running

pytestmark = pytest.mark.system

# Flask and Quart call something else a root path.
WHERE = {
    "fastapi_app": {"path": "/sub/where", "root": "/sub"},
    "starlette_app": {"path": "/sub/where", "root": "/sub"},
    "litestar_app": {"path": "/where/", "root": ""},
    "django_app": {"path": "/sub/where", "root": ""},
    "quart_app": {"path": "/sub/where"},
    "flask_app": {"path": "/where"},
}


def test_a_mounted_application_is_reached(one: Running) -> None:
    answer = one.get("/sub/where")
    assert answer.status == 200
    expected = WHERE[one.case.app]
    assert {key: answer.json[key] for key in expected} == expected
    assert answer.headers["x-request-id"]
    assert one.get("/sub/nowhere").status == 404
