"""What people see: the desk with its live cards, the calls, the player, and the API for other programs.

Read in this order: `services` (what the room is handed), `app` (the routes), `guard` and `sessions` (who may come in),
`rights` (what they may see), `live`, `cards` and `desk` (a call while it happens), `call_page` and `listening` (a call
afterwards), `api/` (the same as JSON).
It reads calls and never changes them; everything a caller or a colleague wrote is text, never markup.
"""
