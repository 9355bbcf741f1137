"""Sign-in, the moderator's own account, and the team.

Open ``sign_in.py`` first. ``own_account.py`` has password, two-factor and preferences, ``team.py``
the administrators' page.
"""
