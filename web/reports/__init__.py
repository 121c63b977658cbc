"""The report as people see it: its pages, mails, files and the list behind a number.

`seen` says who may see whose; `words` (pure) says measures, figures and findings, the same wherever a report is read;
`charts` (pure) makes pictures of days. `report_page`, `behind_page` and `measures_page` answer requests, `files`
writes a report as csv and xlsx. All are made of one `reports.report.Report`.
`plans_page` is where plans of a month are made (`plans`, `plan_grid`, `plans_told`); nothing else is changed here.
"""
