"""Live telephony: who talks now, PBXes, trunks, lines and phones, and how calls are routed."""

from __future__ import annotations

from metrics.dashboards.panels import Page, Panel, Row, figure

_ROUTED = "sum by (le) (rate(switchhook_routing_decision_seconds_bucket[15m]))"

_INBOUND = 'switchhook_calls_total{direction="inbound", line=~"$line"}'
_TALKS = "switchhook_call_talk_seconds"

PAGE = Page(
    name="telephony",
    title="Switchhook: live telephony",
    about="Calls of now, the PBXes and what is reachable, and how callers are routed.",
    by_line=True,
    parts=(
        figure("Calls going on", ("max by (status) (switchhook_calls_live)", "{{status}}")),
        figure("Callers holding", ("sum by (team) (switchhook_callers_waiting)", "{{team}}")),
        figure("PBX connected", ("switchhook_ami_connected", "{{pbx}}"), good=1),
        figure(
            "Phones on shift that are away",
            "count((max by (device) (switchhook_device_reachable) == 0)"
            " and on (device) (max by (device) (switchhook_device_expected) == 1)) or vector(0)",
            bad=1,
        ),
        Row("Synthetic calls"),
        Panel(
            title="Synthetic calls that failed in a row",
            queries=(("max(switchhook_synthetic_failed_in_a_row)", "calls"),),
        ),
        Panel(
            title="Since a synthetic call was over, and went through whole",
            queries=(
                ("max(switchhook_synthetic_last_age_seconds)", "over"),
                ("max(switchhook_synthetic_last_ok_age_seconds)", "whole"),
            ),
            unit="s",
        ),
        Panel(
            title="Steps of the last synthetic call",
            queries=(("max by (step) (switchhook_synthetic_step_seconds)", "{{step}}"),),
            unit="s",
            about="From its beginning to each step that was done.",
        ),
        Panel(
            title="Synthetic calls by result",
            queries=(("round(max by (result) (increase(switchhook_synthetic_calls_total[1h]))) > 0", "{{result}}"),),
            kind="bars",
            every="1h",
        ),
        Row("Calls"),
        Panel(
            title="Calls by status",
            queries=(
                ('round(sum by (status) (increase(switchhook_calls_total{line=~"$line|none"}[1h])))', "{{status}}"),
            ),
            kind="bars",
            every="1h",
            back="24h",
        ),
        Panel(
            title="Calls by line, beside a week ago",
            queries=(
                (f"round(sum by (line) (increase({_INBOUND}[2h])))", "{{line}}"),
                (f"round(sum by (line) (increase({_INBOUND}[2h] offset 1w)))", "{{line}}, a week ago"),
            ),
            about="Two hours at a time, as silence is judged.",
        ),
        Panel(
            title="Calls by trunk, beside a week ago",
            queries=(
                ("round(sum by (trunk) (increase(switchhook_trunk_calls_total[2h])))", "{{trunk}}"),
                (
                    "round(sum by (trunk) (increase(switchhook_trunk_calls_total[2h] offset 1w)))",
                    "{{trunk}}, a week ago",
                ),
            ),
        ),
        Panel(
            title="How long people talk",
            queries=(
                (
                    f"sum(rate({_TALKS}_sum[1h])) / sum(rate({_TALKS}_count[1h]))",
                    "on average",
                ),
            ),
            unit="s",
        ),
        Row("What is there"),
        Panel(title="Trunks", queries=(("max by (trunk) (switchhook_trunk_reachable)", "{{trunk}}"),), kind="states"),
        Panel(
            title="Lines within their hours",
            queries=(("max by (line) (switchhook_line_open)", "{{line}}"),),
            kind="states",
        ),
        Panel(
            title="Phones", queries=(("max by (device) (switchhook_device_reachable)", "{{device}}"),), kind="states"
        ),
        Panel(
            title="Phones of who is on shift",
            queries=(("max by (device) (switchhook_device_expected)", "{{device}}"),),
            kind="states",
        ),
        Row("Routing"),
        Panel(
            title="Outcome of arrivals",
            queries=(("round(sum by (outcome) (increase(switchhook_routing_outcome_total[10m]))) > 0", "{{outcome}}"),),
            kind="bars",
            every="10m",
        ),
        Panel(
            title="Time of a decision",
            queries=tuple(
                (f"histogram_quantile({share}, {_ROUTED})", name)
                for share, name in ((0.5, "half"), (0.95, "19 of 20"), (0.99, "99 of 100"))
            ),
            unit="s",
            about="Callers wait for it, at most 1.5 s.",
        ),
        Panel(
            title="Arrivals by the rule that decided",
            queries=(("round(sum by (rule) (increase(switchhook_routed_calls_total[1h]))) > 0", "{{rule}}"),),
            kind="bars",
            every="1h",
            back="24h",
        ),
        Panel(
            title="Calls out that were refused",
            queries=(
                (
                    "round(max by (reason) (increase(switchhook_outgoing_refused_total[10m]))) > 0",
                    "{{reason}}",
                ),
            ),
            kind="bars",
            every="10m",
        ),
        Row("The PBX"),
        Panel(title="Connections", queries=(("switchhook_ami_connected", "{{pbx}}"),), kind="states"),
        Panel(
            title="A heartbeat's way through the PBX",
            queries=(("switchhook_ami_heartbeat_lag_seconds", "{{pbx}}"),),
            unit="s",
        ),
        Panel(
            title="Events a second",
            queries=(
                ("sum by (pbx) (rate(switchhook_ami_events_total[$__rate_interval]))", "{{pbx}}"),
                ("sum by (pbx) (rate(switchhook_events_lost_total[$__rate_interval]))", "{{pbx}} lost"),
                (
                    "sum by (pbx) (rate(switchhook_ami_heartbeats_lost_total[$__rate_interval]))",
                    "{{pbx}} heartbeats lost",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="The PBX's clock against ours",
            queries=(("abs(switchhook_ami_clock_offset_seconds)", "{{pbx}}"),),
            unit="s",
        ),
        Panel(title="CEL not read for", queries=(("switchhook_cel_unread_seconds", "{{pbx}}"),), unit="s"),
        Panel(
            title="Calls that differ",
            queries=(("max by (between) (switchhook_reconcile_differences)", "{{between}}"),),
            about="pbx_store: the PBX's record of an hour and ours; store_crm: our record of a day and the CRMs'.",
        ),
    ),
)
