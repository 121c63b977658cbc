"""One search over parties, leads, calls, what was said, and notes.

Read `asked` (what a query asks for), `likeness` (how well a name or a number answers it, and where), then one file for
each kind of thing, `everywhere` (all kinds together, ranked). Pages and the API show what is found here; nothing may
be found that `web.rights` does not show, and nothing keeps what was asked for.
"""
