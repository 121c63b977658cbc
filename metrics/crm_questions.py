"""What the database is asked about connected CRMs, in SQL."""

from __future__ import annotations

from typing import Final

LEDGER_OPEN: Final = """
    select c.key, word, count(e.key) from crm_connections c cross join unnest(cast(:states as text[])) as word
    left join crm_effects e on e.connection = c.key and e.state = word
        and e.state in ('planned', 'sent', 'unknown', 'dead')
    group by c.key, word
"""
# What a person stopped is nobody's delay; a recording that is being prepared is not late at the CRM yet.
LEDGER_OLDEST: Final = """
    select c.key, coalesce(extract(epoch from clock_timestamp() - min(e.planned_at)), 0) from crm_connections c
    left join crm_effects e on e.connection = c.key and e.state in ('planned', 'sent', 'unknown') and not e.waits
        and (c.state = 'active' or c.stopped_by = 'auth_dead')
    group by c.key
"""
CONNECTED: Final = "select key, (coalesce(stopped_by, 'hand') in ('hand', 'new'))::int from crm_connections"
CRM_REQUESTS: Final = "select connection, operation, result, sum(request_count) from crm_requests group by 1, 2, 3"
CRM_SECONDS: Final = """
    select connection, operation, most,
           coalesce(sum(request_count) filter (where seconds_most <= cast(most as float)), 0), sum(seconds)
    from crm_requests cross join unnest(cast(:buckets as text[])) as most
    group by connection, operation, most order by connection, operation, cast(most as float)
"""
# A connection without such a token has no series.
GRANTS: Final = """
    select connection, token, extract(epoch from ends_at - clock_timestamp()) from crm_grants
    cross join lateral (values ('access', expires_at), ('refresh', refresh_expires_at)) as told(token, ends_at)
    where ends_at is not null
"""
LIMIT_USED: Final = """
    select c.key, p.bucket, case when p.resets_at is null or p.resets_at > statement_timestamp() then p.used else 0 end
    from crm_paces p join crm_connections c using (account) where p.used is not null
"""
LIMIT_MOST: Final = """
    select c.key, p.bucket, p.most from crm_paces p join crm_connections c using (account) where p.used is not null
"""
MISSING: Final = "select key, cardinality(missing) from crm_connections where state <> 'stopped'"
