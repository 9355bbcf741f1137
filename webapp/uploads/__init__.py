"""One upload: parse it, admit it, commit it in a batch, wait for its verdict.

Open ``admission.py`` first: from a valid upload to a committed submission. ``parse.py`` reads the
request, ``batch.py`` commits concurrent uploads, ``decision_waiter.py`` waits for the verdict.
"""
