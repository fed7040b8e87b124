"""`smartstream bench`: what is claimed about speed, measured beside its peers."""
