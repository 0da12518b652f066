"""The table of records and what is said to it: by the server's clock, each statement atomic.

Parameters are named, since SQLAlchemy's driver connections and psycopg's take the same form.
"""

TABLE = "mainstay_idempotency"

CREATE_TABLE = f"""
create table if not exists {TABLE} (
    record text primary key,
    fingerprint bytea not null,
    token bigint not null,
    lease_ends timestamptz not null,
    expires timestamptz not null,
    answer bytea
);
create index if not exists {TABLE}_expires on {TABLE} (expires);
""".strip()
"""Makes the table where there is none. Say it once, as part of your migrations: the service itself
needs no more than select, insert, update and delete."""

_SECONDS = "make_interval(secs => %({0})s)"
_LEASE, _TTL = _SECONDS.format("lease_s"), _SECONDS.format("ttl_s")

# The statement sees the table as it was when it began: a record that somebody took in between is
# neither inserted nor found, and the statement is said again.
BEGIN = f"""
with taken as (
    insert into {TABLE} as row (record, fingerprint, token, lease_ends, expires)
    values (%(record)s, %(fingerprint)s, %(token)s, clock_timestamp() + {_LEASE},
            clock_timestamp() + {_TTL})
    on conflict (record) do update set
        fingerprint = excluded.fingerprint, token = excluded.token,
        lease_ends = excluded.lease_ends, expires = excluded.expires, answer = null
    where row.expires <= clock_timestamp()
        or (%(rerun)s and row.answer is null and row.lease_ends <= clock_timestamp()
            and row.fingerprint = excluded.fingerprint)
    returning 1
)
select 'ours', %(fingerprint)s::bytea, null::bytea from taken
union all
select case when answer is not null then 'done'
            when lease_ends > clock_timestamp() then 'busy' else 'crashed' end,
       fingerprint, answer
from {TABLE} where record = %(record)s and not exists (select from taken)
"""  # noqa: S608  Names of our own.

_HELD = "record = %(record)s and token = %(token)s"

FINISH = f"""
update {TABLE} set expires = clock_timestamp() + {_TTL},
    answer = case when coalesce(answer, '') = '' then %(answer)s else answer end
where {_HELD}
"""  # noqa: S608  As above.

RELEASE = f"delete from {TABLE} where {_HELD} and answer is null"  # noqa: S608  As above.

RENEW = f"""
update {TABLE} set lease_ends = clock_timestamp() + {_LEASE} where {_HELD} and answer is null
"""  # noqa: S608  As above.

SWEEP = f"""
delete from {TABLE} where record in (
    select record from {TABLE} where expires <= clock_timestamp() order by expires limit 100
    for update skip locked
)
"""  # noqa: S608  As above.
"""Forgets a hundred records whose time is up."""
