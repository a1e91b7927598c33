"""Clients outside the three servers: service.py and listener.py at a server, client.py at the client."""
