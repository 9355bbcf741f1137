"""Backup and restore: a whole stack in one tar file, verified row by row and file by file.

Open ``make.py`` first. A row is committed after its files are on the disk, so the database's
snapshot is taken first and the files are read after it: every row of the snapshot has its file.
"""
