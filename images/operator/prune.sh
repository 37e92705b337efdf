#!/bin/sh
# prune.sh SITE-PACKAGES: removes files that the operator never loads.
set -eu
cd "$1"

# The asynchronous variant of the Kubernetes client, and the byte code of its models.
rm -rf kubernetes/aio
find kubernetes -name __pycache__ -prune -exec rm -rf {} +
find . -type d -name tests -prune -exec rm -rf {} +
