"""Where a call should go, and why.

Read arrival.py (what is known), plan.py (what is answered), choice.py (whom and on which device), rules.py and
decide.py (the decision), all pure; then gather.py and memory.py (the facts, in time), controller.py (one arrival).
It rings nobody itself and speaks neither to the PBX nor to a CRM: what it needs of other rooms is handed in.
"""
