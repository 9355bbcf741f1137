"""Search of submissions, and the page of a single one.

Open ``pages.py`` first. ``search_form.py`` converts between the form's fields and a search.
"""
