"""Changes to a console account: by its owner, by an administrator, and at set-up.

Open ``team.py`` first: roles, invitations and disabled accounts. Two-factor codes are in
``two_factor.py``. The tables themselves are in ``models/people``.
"""
