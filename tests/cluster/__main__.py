"""`python -m tests.cluster up|down|status|parts`: the cluster that end-to-end tests run on, and what it is made of."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.cluster import lifecycle, nodes, parts
from tests.cluster.places import read_state
from tests.cluster.steps import NoClusterError, say


def main() -> int:
    """The exit code: 0 for done, 1 where there is no cluster."""
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
    """Prints what is up, and 0 if it can be used."""
    state = read_state()
    trouble = nodes.unready(Path(state.kubeconfig)) if state else "no cluster is up: make cluster-up"
    if state:
        sys.stdout.write(state.shell())
    say(trouble or "ready")
    return int(bool(trouble))


if __name__ == "__main__":
    sys.exit(main())
