"""Console sessions, roles and passwords.

Open ``auth.py`` first: sign-in, sign-out and role guards. ``throttle.py`` counts attempts,
``known_browser.py`` keeps a person's own browser out of that count, ``passwords.py`` has the
password policy and argon2id.
"""
