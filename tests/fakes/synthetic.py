"""A synthetic call as the PBX tells it: the caller's half of one Local channel, the test phone's of another."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from calls import events as e
from calls.synthetic import CONTEXT, PREFIX
from telephony.synthetic import NUMBER, caller_of

_PLAN = '{"steps": [{"kind": "ring"}], "rule": "team", "turns": [["sales", "anna"]]}'


def synthetic_call(own: UUID, line: str, at: datetime, *, answered: bool = True) -> list[e.Event]:
    """From its beginning to its settling, `Settled` last."""
    first, caller, phone = f"{PREFIX}{own.hex}", caller_of(own), f"{at.timestamp():.0f}.2"

    def told(seconds: float, channel: str = caller) -> dict[str, object]:
        name = {caller: f"Local/{line}@{CONTEXT}-00000001;2", phone: f"Local/phone@{CONTEXT}-00000002;1"}.get(
            channel, f"Local/{line}@{CONTEXT}-00000001;1"
        )
        when = at + timedelta(seconds=seconds)
        return {"pbx": "pbx", "channel": channel, "linkedid": first, "at": when, "name": name}

    def happened(kind: type[e.Event], seconds: float, channel: str = caller, **fields: object) -> e.Event:
        return kind(**told(seconds, channel), **fields)  # type: ignore[arg-type]

    talk = [
        happened(e.ChannelUp, 1.2, phone),
        happened(e.BridgeEntered, 1.2, phone, bridge="b"),
        happened(e.BridgeEntered, 1.2, bridge="b"),
        happened(e.BridgeLeft, 10.0, phone, bridge="b"),
        happened(e.BridgeLeft, 10.0, bridge="b"),
    ]
    return [
        happened(e.ChannelCreated, 0.0, first, dialed=line),
        happened(e.ChannelCreated, 0.0, number=NUMBER, dialed=line, incoming=True),
        happened(e.Arrived, 0.001, line=line, number=NUMBER),
        happened(e.Routed, 0.002, rule="team", plan=_PLAN, outcome="in_time"),
        happened(e.RecordingStarted, 0.003, path=f"/spool/{caller}-caller.wav"),
        happened(e.ChannelCreated, 0.01, phone, incoming=False),
        happened(e.Dialed, 0.02, target=phone, target_name=f"Local/phone@{CONTEXT}-00000002;1"),
        happened(e.ChannelRang, 0.1, phone),
        *(talk if answered else []),
        *(happened(e.ChannelHungUp, 10.1, one, cause=16) for one in (phone, caller, first)),
        happened(e.Settled, 15.2),
    ]
