"""Labels: what an upload can be, as rows that administrators add, rename, order and retire.

Open ``label.py`` first: one row and its changes. ``label_index.py`` is what every process reads:
all labels by name, cached. ``uses.py`` counts the rules and known images of a label.
"""
