"""`python -m dmn_cli` is `dmn`."""

from dmn_cli.cli.app import main

if __name__ == "__main__":
    main()
