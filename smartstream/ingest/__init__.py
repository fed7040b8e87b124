"""Sources: video, tracks, signal states and other lines into items with event time."""
