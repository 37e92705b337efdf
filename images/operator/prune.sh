#!/bin/sh
# prune.sh SITE-PACKAGES: takes away what the operator never loads.
set -eu
cd "$1"

# The asynchronous twin of the Kubernetes client; the bytecode of its models.
rm -rf kubernetes/aio
find kubernetes -name __pycache__ -prune -exec rm -rf {} +
find . -type d -name tests -prune -exec rm -rf {} +
