"""A city in files: hours of streams that belong together, and what truly happened."""
