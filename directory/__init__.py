"""Who and what a call can reach: the company, its people, teams, devices, lines and hours, and who may log in.

Read model.py (the nouns), numbers.py and hours.py (their two hard questions), file.py (the YAML file an operator
writes), then tables.py and store.py (the same in PostgreSQL). Who is there at a moment: presence.py (pure) and
presence_store.py; what calendars say of it: ics.py (pure), feed.py and calendars.py.
It knows nothing of calls and imports no other room; every other room may import it.
"""
