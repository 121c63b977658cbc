"""The doctor: everything an operator can get wrong, looked at one by one, each told with what to do about it.

Read `check` (one line), `look` (how lines are made: each look within its time, whatever becomes of the others) and
`looks` (the one list of them all), then the file of a topic: `database`, `people`, `crm`, `work`, `notices`, `disk`,
`certificates`, `security`, and of a PBX `pbx`, `features`, `cel`, `devices`. `examine` looks at everything, `daily`
does so by itself. Nothing is mended here; what is tried harms nobody.
"""
