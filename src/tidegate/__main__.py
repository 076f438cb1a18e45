"""`python -m tidegate` is the same program as `tidegate`."""

from tidegate.cli.main import main

main()
