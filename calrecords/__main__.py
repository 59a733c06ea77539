"""Run the command line with ``python -m calrecords``."""

from calrecords.cli import main

if __name__ == "__main__":
    main()
