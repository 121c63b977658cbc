"""The directory on pages: what its file says can be said here, by forms or as text, and goes back to the file.

Read in this order: `asked` (which fields a form asks for), `form` (an entry as a form and back), `saving` (one way to
write: checked, compared, shown, and only then applied), `entry_page`, `lists_page`, `text_page`, `history_page`,
`tried_page` (what a rule would do) and `absences_page`.
"""
