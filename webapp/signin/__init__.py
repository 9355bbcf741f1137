"""Console sessions, roles and passwords.

Open ``auth.py`` first: sign-in, sign-out and role guards. ``passwords.py`` has the password policy
and argon2id.
"""
