"""`python -m runhistory.watch`"""

from runhistory.runtime.service import run_service
from runhistory.watch.service import main

if __name__ == "__main__":
    run_service("watch", main)
