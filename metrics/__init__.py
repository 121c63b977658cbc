"""What operations see: Prometheus metrics, the alert rules over them, a dashboard.

Read in this order: `observe` (what a change of a call counts), `links` (what a PBX connection knows of itself),
`working` (what should work now), `questions` and `gauges` (what the database is asked again and again), `http` (the
port), then `rules/`, `prometheus/`, `dashboards/`.
Every label set is closed; no number or name of a person is ever a label. Nothing here changes anything it measures.
"""
