"""Tables of the people who sign in to the console.

Open ``moderator.py`` first: accounts, sessions, invitations and reset links. Changes to an
account are in ``models/accounts``.
"""
