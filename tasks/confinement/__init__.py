"""Confinement of the decoder's process: no files, sockets, programs or other processes.

Open ``confine.py`` first. It needs no privilege, and it imports nothing but the standard library.
"""
