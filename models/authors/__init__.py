"""The clients' own users: strikes, suspensions, premium marks, and lists of them.

Open ``author.py`` first. An author has a row only if there is something to store.
"""
