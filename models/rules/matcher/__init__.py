"""The matching engine of text rules. Pure: a text in, matches with their offsets out.

Open ``matcher.py`` first. ``normalise.py`` folds a text, ``terms.py`` finds words and phrases,
``domains.py`` finds hosts, and RE2 runs regular expressions; each takes linear time.
"""
