"""Settings for every test."""

import os

from hypothesis import settings

# A build server repeats itself: what it says about a change must be about that change. At a desk every run looks
# elsewhere, and what it finds is written down as a test.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
