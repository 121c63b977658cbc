"""What the PBX says, and what we ask of it.

Read `pbx` (settings, state, errors), `wire` and `link` (one connection to one Asterisk), `ami` and `cel` (what its
words mean; `silent`: which say nothing), `cel_file`, `cel_table` and `catch_up` (what it wrote down), `snapshot` and
`devices` (what is so now), then `plan_variables` and `hand_over` (a plan given to the PBX), `liveness` (how the
dialplan knows that we live). `tape` reads the same words recorded; `scramble` and `tape_fields` take people's numbers
and names off it. `dialplan/` is what the PBX includes.

This room may not decide where a call goes, nor import a sibling; only `wire` imports panoramisk. What the PBX says is
counted and skipped when it makes no sense.
"""
