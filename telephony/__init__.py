"""What the PBX says, and what we ask of it.

Read `pbx` (settings, state, errors), `wire` and `link` (one connection to one Asterisk), `ami` and `cel` (what its
words mean), `devices`, then `plan_variables` and `hand_over` (a plan given to the PBX), `liveness` (how the dialplan
knows that we live). `dialplan/` is what the PBX includes. This room may not decide where a call goes, nor import a
sibling; only `wire` imports panoramisk. What the PBX says is counted and skipped when it makes no sense.
"""
