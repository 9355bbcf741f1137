"""The HTTP server: the API and the console. Imports ``tasks`` and ``models``; nothing imports it.

Open ``app.py`` first: the factory, a table of contents of everything that is registered.
``gunicorn.py`` configures the server, ``wsgi.py`` is its target.
"""
