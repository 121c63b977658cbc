"""What people do with telephones, as code: played on a real Asterisk by real SIP telephones (PJSIP).

Read `scenario` (what a scenario is), `answers` (the simplest), `stage` (what a scenario can do), then `play`.
To add one, write a function beside its likes with what happens as its docstring, `@scenario(Record(…))` over it with
what a person who watched would write down, run `python -m tests.lab.scenarios record NAME` to keep it as a tape, and
put its line of `python -m tests.lab.scenarios list` into tests/tapes/README.md. tests/lab/test_scenarios.py plays it.
"""
