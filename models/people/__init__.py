"""The tables of the people who sign in to the console.

Open ``moderator.py`` first: accounts, sessions, invitations and reset links. What may be changed
of an account is in ``models/accounts``.
"""
