"""Who is to be told what, by which channel, once.

Read `model` (what a notice is), `telling` (how a room tells one), `quiet` (when a person is not disturbed), then
`delivering` with the channels `mail`, `telegram` and `webhook`; `inbox` is what the page shows. It knows people and
calls, never what a lead is: whoever tells hands over the kind and its values, and `web` has the words.
"""
