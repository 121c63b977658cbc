"""What happened: one call, one true record, whatever happens to it.

Read in this order: `events` (the words), `call` (the fold), `view` (what the facts mean), `differences` (two readings
of one call), `record` (the one transaction), then `due` and `jobs` (the work a change owes), `spans` (how that is
traced), `tables` and `database`.
`events`, `call` and `view` are pure; nothing here knows AMI, routing, recordings, a CRM or the web.
"""
