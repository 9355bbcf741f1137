"""What may be changed of a console account: by its owner, by an administrator, at set-up.

Open ``team.py`` first: roles, invitations and disabled accounts. Two-factor codes are in
``two_factor.py``. The tables themselves are in ``models/people``.
"""
