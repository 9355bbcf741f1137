"""The HTTP server: the API and the console. Imports ``tasks`` and ``models``; nothing imports it.

Open ``app.py`` first: the factory, which lists everything that is registered.
``gunicorn.py`` configures the server, ``wsgi.py`` is its target.
"""
