"""The service itself: whether it lives, its database and work, what it takes of the machine, and its notices."""

from __future__ import annotations

from metrics.dashboards.panels import Page, Panel, Row, figure

PAGE = Page(
    name="service",
    title="Switchhook: the service itself",
    about="Processes, database, jobs, pages and notices.",
    parts=(
        figure("Alive", ('up{job="switchhook"}', "{{instance}}"), good=1),
        figure("Database", "max(switchhook_database_reachable)", good=1),
        figure("Jobs given up", "sum(max by (queue) (switchhook_jobs_given_up))", bad=1),
        figure("Alerts that fire", 'count(ALERTS{alertstate="firing"}) or vector(0)', bad=1),
        Row("Processes"),
        Panel(title="Processes that answer", queries=(('up{job="switchhook"}', "{{instance}}"),), kind="states"),
        Panel(
            title="Version",
            queries=(("max by (instance, version) (switchhook_build_info)", "{{instance}} {{version}}"),),
            kind="states",
        ),
        Panel(
            title="Processor",
            queries=(('rate(process_cpu_seconds_total{job="switchhook"}[$__rate_interval])', "{{instance}}"),),
            unit="percentunit",
        ),
        Panel(
            title="Memory", queries=(('process_resident_memory_bytes{job="switchhook"}', "{{instance}}"),), unit="bytes"
        ),
        Panel(
            title="Database answers",
            queries=(("max by (instance) (switchhook_database_reachable)", "{{instance}}"),),
            kind="states",
        ),
        Panel(
            title="Time the database took to answer a scrape",
            queries=(("max by (instance) (switchhook_database_scrape_seconds)", "{{instance}}"),),
            unit="s",
        ),
        Panel(
            title="From a call's change to its card",
            queries=tuple(
                (f"histogram_quantile({share}, sum by (le) (rate(switchhook_card_push_seconds_bucket[15m])))", name)
                for share, name in ((0.5, "half"), (0.95, "19 of 20"))
            ),
            unit="s",
        ),
        Panel(
            title="Calls read again after an outage",
            queries=(("round(sum(increase(switchhook_catch_up_calls_total[1h])))", "calls"),),
            kind="bars",
            every="1h",
            back="24h",
        ),
        Row("Work"),
        Panel(title="Jobs owed", queries=(("max by (queue) (switchhook_jobs_waiting)", "{{queue}}"),)),
        Panel(title="Oldest job", queries=(("max by (queue) (switchhook_job_oldest_seconds)", "{{queue}}"),), unit="s"),
        Panel(
            title="Jobs that run again and again",
            queries=(("max by (queue) (switchhook_job_retrying_seconds)", "{{queue}}"),),
            unit="s",
        ),
        Panel(title="Jobs given up, by queue", queries=(("max by (queue) (switchhook_jobs_given_up)", "{{queue}}"),)),
        Panel(
            title="Jobs that failed for good",
            queries=(("round(max by (queue) (increase(switchhook_jobs_failed_total[15m]))) > 0", "{{queue}}"),),
            kind="bars",
            every="15m",
        ),
        Panel(
            title="Days to be counted anew for reports",
            queries=(("max(switchhook_report_facts_waiting)", "days"),),
            about="Some for seconds each minute; all of them after a measure was added, forty a minute at most.",
        ),
        Panel(
            title="Since days were counted for reports",
            queries=(("max(switchhook_report_facts_age_seconds)", "age"),),
            unit="s",
            about="Today is counted every ten minutes, whatever happens.",
        ),
        Row("Keeping"),
        Panel(
            title="Age of the newest backup",
            queries=(("max(switchhook_backup_age_seconds)", "age"),),
            unit="s",
            about="Nothing stands here before the first.",
        ),
        Panel(title="Backups that were made", queries=(("max(switchhook_backups_made_total)", "backups"),)),
        Panel(
            title="Checks of the doctor",
            queries=(("max by (state) (switchhook_doctor_checks)", "{{state}}"),),
            about="Of its last daily look.",
        ),
        Row("Telling people"),
        Panel(
            title="Notices that are due",
            queries=(("max by (channel) (switchhook_notice_oldest_seconds)", "{{channel}}"),),
            unit="s",
            about="For how long the oldest is due.",
        ),
        Panel(
            title="Notices by how they ended",
            queries=(
                (
                    "round(max by (channel, result) (increase(switchhook_notices_total[1h]))) > 0",
                    "{{channel}} {{result}}",
                ),
            ),
            kind="bars",
            every="1h",
        ),
        Panel(
            title="Calendars",
            queries=(
                ("max by (state) (switchhook_calendars)", "{{state}}"),
                ("max(switchhook_calendar_oldest_seconds) / 3600", "hours of the oldest copy"),
            ),
        ),
        Panel(
            title="Messages of Alertmanager",
            queries=(
                ("round(sum by (integration) (increase(alertmanager_notifications_total[1h])))", "{{integration}}"),
                (
                    "round(sum by (integration) (increase(alertmanager_notifications_failed_total[1h])))",
                    "{{integration}} failed",
                ),
            ),
            kind="bars",
            every="1h",
        ),
    ),
)
