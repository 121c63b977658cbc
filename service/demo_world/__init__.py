"""The world outside the PBX, on a second real Asterisk: people's phones, their mobiles behind the trunk, and callers.

Read `world` first (what a test or the demo may ask for), then `behaviour` (what a phone does when it rings), `speech`
(what is said, in recorded human words), `files` (how the Asterisk is configured) and `manager` (how we steer it).
It knows nothing of the service: it sees the PBX only through SIP, like a real telephone network.
"""

from service.demo_world.behaviour import Behaviour, answer, busy, reject, ring_out
from service.demo_world.world import OutsideCall, OutsidePhone, OutsideWorld

__all__ = ["Behaviour", "OutsideCall", "OutsidePhone", "OutsideWorld", "answer", "busy", "reject", "ring_out"]
