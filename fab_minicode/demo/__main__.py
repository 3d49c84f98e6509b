"""``python -m fab_minicode.demo``."""

from fab_minicode.demo.run import main

if __name__ == "__main__":
    main()
