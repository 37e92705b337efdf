"""`python -m scoremill`, the same as `scoremill`."""

from scoremill.cli import main

if __name__ == "__main__":
    main()
