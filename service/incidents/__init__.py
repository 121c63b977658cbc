"""Looks on in every telephony role, and keeps what goes wrong as incidents: since when, until when, at what cost.

Read `calls/incidents.py` first, which says what an incident is; then `stored.py` (the faults that the database knows),
`looking.py` (those that this process knows, and the loop), `costs.py` (the calls that were lost and saved) and
`telling.py` (whom of the house is told).
"""
