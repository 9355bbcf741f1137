"""Webhook deliveries to clients: a transactional outbox, and the endpoints.

Open ``delivery.py`` first: how a delivery is added, claimed, retried and given up.
``tasks/webhooks`` sends them.
"""
