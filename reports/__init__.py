"""What the head of sales sees: the day in figures, from calls and leads as they are stored.

A report is a question to the database with an answer that can be checked against single calls; it will be read on a
page, as a file, or sent. The room reads calls, recordings and leads, and changes nothing of them.
`measures` are the words, `counts` the questions, listed by `registry`; `building` keeps the facts of days (`facts`,
pure; asked for by `fact_rows`) right, and `listing` asks for the things behind a number.
`assembling` makes a report of them: `figures` and `findings` (pure) say what is good or bad and what to do.
`missed` (pure) counts missed calls, their causes and how soon they were called back; `missed_rows` asks for them.
`plans` (pure) says what is to be reached in a month and where it is going; `plan_rows` keeps it, `plan_sheet` reads it.
"""
