"""``python -m smartstream`` is ``smartstream``."""

from smartstream.cli import main

main()
