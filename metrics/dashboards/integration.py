"""CRMs and the lead book: what is owed, how they answer, what ends soon, and which leads are late."""

from __future__ import annotations

from metrics.dashboards.panels import Page, Panel, Row, figure

_ASKED = "max by (crm, operation, result) (increase(switchhook_crm_requests_total[15m]))"
_ANSWERED = "max by (crm, operation, le) (rate(switchhook_crm_request_seconds_bucket[15m]))"

PAGE = Page(
    name="integration",
    title="Switchhook: CRM and leads",
    about="What connected CRMs are owed, how they answer, and how leads are worked.",
    since="now-24h",
    parts=(
        figure("CRM connected", ("min by (crm) (switchhook_crm_connected)", "{{crm}}"), good=1),
        figure(
            "Oldest that is owed",
            ("max by (crm) (switchhook_crm_oldest_effect_seconds)", "{{crm}}"),
            unit="s",
            bad=3600,
        ),
        figure("Not taken by a CRM", ('max by (crm) (switchhook_crm_ledger_open{state="dead"})', "{{crm}}"), bad=1),
        figure("Leads past their deadline now", "sum(max by (deadline) (switchhook_leads_overdue))", bad=1),
        Row("What CRMs are told"),
        Panel(
            title="Effects that are not done",
            queries=(("max by (crm, state) (switchhook_crm_ledger_open)", "{{crm}} {{state}}"),),
        ),
        Panel(
            title="Oldest effect",
            queries=(("max by (crm) (switchhook_crm_oldest_effect_seconds)", "{{crm}}"),),
            unit="s",
        ),
        Panel(
            title="Requests by result",
            queries=(
                (
                    f"round(sum by (crm, result) ({_ASKED})) > 0",
                    "{{crm}} {{result}}",
                ),
            ),
            kind="bars",
            every="15m",
        ),
        Panel(
            title="How fast CRMs answer",
            queries=(
                (
                    f"histogram_quantile(0.95, sum by (crm, le) ({_ANSWERED}))",
                    "{{crm}}",
                ),
            ),
            unit="s",
            about="Nineteen requests of twenty took no longer.",
        ),
        Panel(
            title="Connections to CRMs",
            queries=(("min by (crm) (switchhook_crm_connected)", "{{crm}}"),),
            kind="states",
        ),
        Panel(
            title="Access ends in",
            queries=(('min by (crm) (switchhook_crm_grant_seconds{token="refresh"})', "{{crm}}"),),
            unit="s",
        ),
        Panel(
            title="Used of what a CRM allows",
            queries=(
                ("max by (crm, bucket) (switchhook_crm_limit_used / switchhook_crm_limit_most)", "{{crm}} {{bucket}}"),
            ),
            unit="percentunit",
        ),
        Panel(title="Rights and settings that lack", queries=(("max by (crm) (switchhook_crm_missing)", "{{crm}}"),)),
        Panel(
            title="Calls that differ from a CRM",
            queries=(('max(switchhook_reconcile_differences{between="store_crm"})', "of the last compared day"),),
        ),
        Panel(
            title="Recordings that a CRM lacks",
            queries=(('max(switchhook_recordings_judged{state="not_in_crm"})', "of seven days"),),
        ),
        Row("Leads"),
        Panel(title="Leads by stage", queries=(("max by (stage) (switchhook_leads)", "{{stage}}"),)),
        Panel(
            title="Leads past their deadline",
            queries=(("max by (deadline) (switchhook_leads_overdue)", "{{deadline}}"),),
        ),
        Panel(
            title="Neglected leads and overloaded people",
            queries=(
                ("max(switchhook_leads_forgotten)", "leads forgotten"),
                ("max(switchhook_leads_overloaded_people)", "people with too many"),
            ),
        ),
        Panel(
            title="Leads that came back",
            queries=(("round(max(increase(switchhook_leads_revived_total[1d])))", "a day"),),
            kind="bars",
            every="1d",
            back="30d",
        ),
    ),
)
