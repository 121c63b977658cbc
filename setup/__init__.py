"""Makes a fresh machine able to run Switchhook: `make` starts it, nothing at run time imports it.

Read `__main__.py` (which part each command needs), then `steps.py` (how a part tells that it is ready) and the parts.
Only the standard library may be imported: this code runs before anything is installed.
Everything fetched is pinned by checksum and written atomically; what cannot be had is named with the way to get it.
"""
