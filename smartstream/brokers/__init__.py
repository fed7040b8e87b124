"""Servers that several stages talk to: how to reach them, and what holds for every conversation with them."""
