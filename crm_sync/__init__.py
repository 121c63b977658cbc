"""What the CRM should know: parties and their leads, here in our own lead book.

Read `lifecycle` (the stages of a lead), `due` (which calls are linked), `book` (one call into the book, exactly once),
`locks`, `jobs` (does it), then `owners` and `parties` (what others ask). `lifecycle` and `due` are pure.
`decisions` and `notes` are what people do with leads, `lead_list` reads, `leads` writes them; `revival` (pure) says
what is done for lost ones, `reviving` does it.
Files of leads come in by `import_columns`, `import_rows`, `import_plan` (pure), `importing`; `lead_export` writes one.
A lead's owner changes at most once a call and only by the rule stated in `book`; staff are never parties.
"""
