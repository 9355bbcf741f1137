"""The PostgreSQL connection and helpers that several tables share.

Open ``connection.py`` first: the pool, transactions and bulk inserts. The other files hold the
read replica, role grants, the configuration's revision numbers, encrypted columns and random
tokens.
"""
