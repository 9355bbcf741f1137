"""The PostgreSQL connection, and what several tables need from it.

Open ``connection.py`` first: the pool, transactions and bulk inserts. The other files hold the
read replica, role grants, the configuration's revision numbers, encrypted columns and random
tokens.
"""
