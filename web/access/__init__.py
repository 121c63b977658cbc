"""Who may come in and do what, who did what, and what is wrong now, as pages.

Read `logins.py` (what is known of a login), `users_page.py` and `me_page.py`, `passwords.py` with `password_page.py`
(a password is chosen by a link), `oidc.py` (pure) with `provider.py` and `oidc_page.py`, `audit_list.py` with
`audit_page.py`, and `incidents_page.py`.
"""
