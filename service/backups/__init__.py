"""Copies of all that must be kept, and the way back.

Read `folder` (what a backup is on a disk), `making` (of one moment, while the service runs), `restoring` (all or
nothing, then what is missing; `access`: whom it lets in) and `verifying` (tried in a server of its own). `programs`
alone runs pg_dump, pg_restore and psql; `rows` keeps when the last one was made, for metrics and the doctor. The
secret key is in no backup.
"""
