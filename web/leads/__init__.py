"""The pages of leads: the list and the board, one lead with what may be done about it, one party, the house's rules.

Read `listing` and `board` (which leads a page shows), `one` (a lead with everything that belongs to it), `track` and
`history` (where it may go and what happened, in words; pure), `changes` (what a form does), then the pages themselves.
Nothing here writes to the lead book but by the functions of `crm_sync`.
"""
