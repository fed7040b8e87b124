"""The command ``smartstream``, and ``python -m smartstream``."""

import sys


def main() -> None:
    """The command line; Ctrl-C while it is still being loaded ends it as quietly as later."""
    try:
        from smartstream.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(1)


if __name__ == "__main__":
    main()
