"""Policy pages: the policies of the server, of clients and of surfaces, and what a change would do.

Open ``pages.py`` first; ``policy_form.py`` turns the form into a document and back.
"""
