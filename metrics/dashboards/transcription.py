"""Recordings and their texts: what is missing, how complete it is, and how far behind transcription is."""

from __future__ import annotations

from metrics.dashboards.panels import Page, Panel, Row, figure

_GAPS = "max by (state, line, trunk, transfer) (switchhook_recordings_gaps)"

PAGE = Page(
    name="transcription",
    title="Switchhook: recordings and transcription",
    about="Whether what was said is kept, and how soon it can be read.",
    since="now-24h",
    parts=(
        figure("Recordings missing", "max(switchhook_recordings_missing)", bad=1),
        figure("Calls that wait for their text", 'max(switchhook_jobs_waiting{queue="transcription"})'),
        figure("Time for an hour of audio", "3600 * max(switchhook_transcription_realtime_factor)", unit="s", bad=3600),
        figure("Disk of the recordings", "max(switchhook_store_disk_used_ratio)", unit="percentunit", bad=0.85),
        Row("Transcription"),
        Panel(
            title="Oldest call without its text",
            queries=(('max(switchhook_job_oldest_seconds{queue="transcription"})', "waits for"),),
            unit="s",
        ),
        Panel(
            title="From hang-up to text",
            queries=(("max(switchhook_transcription_lag_seconds)", "the longest of the last hour"),),
            unit="s",
        ),
        Panel(
            title="Time spent over audio done",
            queries=(("max(switchhook_transcription_realtime_factor)", "last hour"),),
            about="Above 1 this machine is too slow for its calls.",
        ),
        Panel(
            title="Calls in the queue",
            queries=(('max by (queue) (switchhook_jobs_waiting{queue=~"transcription|recordings"})', "{{queue}}"),),
        ),
        Row("Recordings"),
        Panel(
            title="Calls without a whole recording",
            queries=(("max(switchhook_recordings_missing)", "of seven days"),),
        ),
        Panel(
            title="Calls by how complete their audio is",
            queries=(('max by (state) (switchhook_recordings_judged{state!="stored"})', "{{state}}"),),
        ),
        Panel(title="Recordings with gaps", queries=((f"sum by (state) ({_GAPS})", "{{state}}"),)),
        Panel(
            title="Where recordings have gaps",
            queries=((f"sum by (line, trunk, transfer) ({_GAPS})", "{{line}} {{trunk}} {{transfer}}"),),
        ),
        Row("Keeping"),
        Panel(
            title="Disk of the recordings in use",
            queries=(("max(switchhook_store_disk_used_ratio)", "used"),),
            unit="percentunit",
        ),
        Panel(
            title="Level of the disk",
            queries=(("max by (level) (switchhook_store_disk)", "{{level}}"),),
            about="room; low: a person is told; full: nothing is compressed any more.",
        ),
        Panel(
            title="Removed by policy, erasure and refusal",
            queries=(("sum by (kind, cause) (max by (kind, cause) (switchhook_calls_removed))", "{{kind}} {{cause}}"),),
        ),
        Panel(title="Erasures that are open", queries=(("max(switchhook_erasures_open)", "persons"),)),
    ),
)
