"""Search over all submissions, and the page of one.

Open ``pages.py`` first. ``search_form.py`` converts between the form's fields and a search.
"""
