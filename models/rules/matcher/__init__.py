"""The matching engine of text rules. Pure: a text in, matches with their offsets out.

Open ``matcher.py`` first. ``displayed.py`` reads markup and direction controls as a browser does,
``normalise.py`` folds a text, ``terms.py`` finds words and phrases, ``edges.py`` says where these
begin and end, ``domains.py`` finds hosts, and RE2 runs regular expressions; each takes linear time.
"""
