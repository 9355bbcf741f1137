"""From acceptance to verdict, decision and appeal, in SQL.

Open ``accept.py`` first: it commits uploads. ``record_verdicts.py`` commits the machine's
verdicts, ``decision.py`` any verdict with its side effects. ``tasks/moderation`` runs the checks
between.
"""
