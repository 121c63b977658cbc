"""What the head of sales sees: the day in figures, from calls and leads as they are stored.

A report is a question to the database with an answer that can be checked against single calls; it will be read on a
page, as a file, or sent. The room reads calls, recordings and leads, and changes nothing.
It holds no report yet; `switchhook replay --format table` and the calls list show single calls.
"""
