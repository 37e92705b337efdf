"""`python -m tests.cluster up|down|status|parts`: start, stop or check the cluster of end-to-end tests, or build its parts."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.cluster import lifecycle, nodes, parts
from tests.cluster.places import read_state
from tests.cluster.steps import NoClusterError, say


def main() -> int:
    """Run a command and return its exit code: 0, or 1 if there is no cluster."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("verb", choices=["up", "down", "status", "parts"])
    try:
        match parser.parse_args().verb:
            case "up":
                start = time.monotonic()
                state = lifecycle.up()
                say(f"up in {time.monotonic() - start:.0f} s")
                sys.stdout.write(state.shell())
            case "down":
                lifecycle.down()
                say("down")
            case "parts":
                parts.hyperkube()
            case _:
                return status()
    except NoClusterError as error:
        say(f"error: {error}")
        return 1
    return 0


def status() -> int:
    """Print the settings of a running cluster, and return 0 if tests can use it."""
    state = read_state()
    problem = nodes.unready(Path(state.kubeconfig)) if state else "no cluster is up: make cluster-up"
    if state:
        sys.stdout.write(state.shell())
    say(problem or "ready")
    return int(bool(problem))


if __name__ == "__main__":
    sys.exit(main())
