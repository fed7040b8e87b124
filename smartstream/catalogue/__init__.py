"""The catalogue of systems: what a centre is connected to, how each enters, in which form."""
