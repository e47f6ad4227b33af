#!/bin/bash
set -euxo pipefail

# install it
$PYTHON -m pip install . --no-deps --ignore-installed
