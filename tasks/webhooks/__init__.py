"""Webhook calls: claim what is due, sign it, send it, record the result.

Open ``deliver.py`` first. ``resolve.py`` refuses private addresses (SSRF), ``http_post.py`` bounds
one call in time and size.
"""
