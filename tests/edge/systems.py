"""Systems as a user may declare them: for golden files, and for Envoy's own judgement."""

from dataclasses import replace
from pathlib import Path

from mainstay.edge.topology import Endpoint, Topology
from mainstay.spec.declaration import Declaration, Member, System
from mainstay.spec.edge import (
    BALANCE_POLICIES,
    RETRY_CONDITIONS,
    Balance,
    Edge,
    EdgeLimits,
    EdgeRetry,
    Ejection,
    HealthCheck,
)
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Shed

World = tuple[System, Topology]


def system(*declarations: Declaration) -> System:
    root = Path("/srv/shop")
    members = tuple(Member(declaration=one, folder=root / one.service) for one in declarations)
    return System(name="shop", root=root, members=members)


def endpoints(
    first_port: int, count: int, version: str = "dev", *, has_probe_ports: bool = False
) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            host="127.0.0.1",
            port=first_port + n,
            version=version,
            weight=n + 1,
            probe_port=first_port + 50 + n if has_probe_ports else 0,
        )
        for n in range(count)
    )


def smallest() -> World:
    """Three lines of YAML, and nothing runs yet."""
    return system(Declaration(service="hello", app="hello:app")), Topology()


def shop() -> World:
    """A public service, one behind it in two versions, and a foreign program.

    Probes have ports of their own, but for a version that an older Mainstay serves.
    """
    storefront = Declaration(service="storefront", app="shop:app", edge=Edge(port=8080))
    catalog = Declaration(
        service="catalog", app="catalog:app", edge=Edge(weights=(("1.0", 90), ("1.1", 10)))
    )
    payments = Declaration(service="payments", command=("serve", "--port", "$PORT"))
    topology = Topology(
        endpoints=(
            ("storefront", endpoints(9000, 2, has_probe_ports=True)),
            (
                "catalog",
                (*endpoints(9100, 2, "1.0"), *endpoints(9102, 1, "1.1", has_probe_ports=True)),
            ),
            ("payments", endpoints(9200, 2)),
        ),
        internal_ports=(("catalog", 9901), ("payments", 9902)),
        checks=(("storefront", "http"), ("catalog", "http"), ("payments", "tcp")),
    )
    return system(storefront, catalog, payments), topology


def everything() -> World:
    """Every key of ``edge:`` set, none of them at its default."""
    edge = Edge(
        port=8443,
        host="::1",
        balance=Balance(policy="ring_hash", hash_header="x-user"),
        health=HealthCheck(
            kind="http", path="/up?deep=1", interval_s=0.25, timeout_s=0.1, fall=1, rise=5
        ),
        eject=Ejection(failures=9, time_s=400, share_max=0.333),
        retry=EdgeRetry(on=RETRY_CONDITIONS, attempts=4, budget=0.0),
        timeout_s=0.75,
        limits=EdgeLimits(
            connections=7,
            header_bytes_max=96 * 1024,
            headers_max=1000,
            body_bytes_max=1,
            header_timeout_s=0.5,
            idle_timeout_s=1.5,
            stream_idle_timeout_s=2.5,
            pending=3,
            requests=4,
        ),
        access_log=False,
    )
    declaration = Declaration(
        service="all",
        version="2026.1+b_7",
        app="a:b",
        edge=edge,
        inbound=Inbound(deadline_s=9, shed=Shed(header="X-Request-Priority")),
    )
    topology = Topology(
        endpoints=(("all", (*endpoints(9000, 2, "2026.1+b_7"), *endpoints(9002, 1, "a.b-c"))),),
        weights=(("all", (("2026.1+b_7", 1), ("a.b-c", 10_000), ("gone", 5))),),
        internal_ports=(("all", 9901), ("elsewhere", 9902)),
    )
    return system(declaration), topology


def bytewise() -> World:
    """A store that its services reach by TCP, one of them in two versions and public as well."""
    web = Declaration(service="web", app="a:b", edge=Edge(port=8080))
    store = Declaration(
        service="store", command=("serve", "$PORT"), edge=Edge(protocol="valkey", retry=None)
    )
    queue = Declaration(
        service="queue",
        command=("serve", "$PORT"),
        edge=Edge(
            port=4222,
            protocol="nats",
            retry=EdgeRetry(attempts=3),
            balance=Balance(policy="maglev"),
            weights=(("1.0", 90), ("1.1", 10)),
        ),
    )
    topology = Topology(
        endpoints=(
            ("web", endpoints(9000, 2)),
            ("store", endpoints(9100, 1)),
            ("queue", (*endpoints(9200, 2, "1.0"), *endpoints(9202, 1, "1.1"))),
        ),
        internal_ports=(("store", 9901), ("queue", 9902)),
        # Whatever was found: a store that is asked in HTTP takes it for an attack.
        checks=(("web", "http"), ("store", "http"), ("queue", "tcp")),
    )
    return system(web, store, queue), topology


def balanced(policy: str) -> World:
    declaration = Declaration(
        service="web", app="a:b", edge=Edge(port=8080, balance=Balance(policy=policy))
    )
    return system(declaration), Topology(endpoints=(("web", endpoints(9000, 3)),))


def off() -> World:
    """What may be turned off is off."""
    edge = Edge(port=8080, eject=None, retry=None, timeout_s=None, access_log=False)
    return (
        system(Declaration(service="admin", app="a:b", edge=edge)),
        Topology(endpoints=(("admin", endpoints(9000, 1)),)),
    )


def many(count: int, first_port: int = 20_000) -> World:
    """``count`` services with two replicas each, all public and all called by others."""
    names = [f"service-{n}" for n in range(count)]
    declarations = [
        Declaration(service=name, app="a:b", edge=Edge(port=first_port + n))
        for n, name in enumerate(names)
    ]
    return system(*declarations), Topology(
        endpoints=tuple((name, endpoints(30_000 + 2 * n, 2)) for n, name in enumerate(names)),
        internal_ports=tuple((name, first_port + count + n) for n, name in enumerate(names)),
        checks=tuple((name, "http") for name in names),
    )


def worlds() -> dict[str, World]:
    """All of the above by name, the large one left out."""
    found = {"smallest": smallest(), "shop": shop(), "everything": everything(), "off": off()}
    found["bytewise"] = bytewise()
    return found | {policy: balanced(policy) for policy in BALANCE_POLICIES}


def shuffled(world: World) -> World:
    """The same world with everything that has no order turned around."""
    declared, topology = world
    return declared, replace(
        topology,
        endpoints=tuple((name, found[::-1]) for name, found in topology.endpoints[::-1]),
        internal_ports=topology.internal_ports[::-1],
        checks=topology.checks[::-1],
    )
