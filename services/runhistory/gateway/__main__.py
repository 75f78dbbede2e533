"""`python -m runhistory.gateway`."""

from runhistory.gateway.service import main
from runhistory.runtime.service import run_service

if __name__ == "__main__":
    run_service("gateway", main, serves_health=False)
