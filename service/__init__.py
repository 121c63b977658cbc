"""The one place that knows every room: it hands each what it needs, and speaks to the operator.

Read in this order: `settings`, `wiring` (who gets what), `telephony_role`, `web_role` and `worker_role` (what each
process does), `cli` (the commands) and `doctor`; then `postgres`, `database` and `asterisk` (what it runs by itself),
and `demo`. Nobody imports this room.
"""
