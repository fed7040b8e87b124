"""Rules of a junction: from the site file to the engine, and from its answers to events."""
