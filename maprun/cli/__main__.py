"""`python -m maprun.cli`: the same as `maprun`."""

from maprun.cli.program import main

if __name__ == "__main__":
    main()
