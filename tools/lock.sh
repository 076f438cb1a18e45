#!/usr/bin/env bash
# Resolve the lock files: pins stay unless UPGRADE=1. They hold versions and hashes, no address.
set -euo pipefail
compile() { .tools/uv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet "$@"; }
compile ${UPGRADE:+--upgrade} --extra server --group build --group dev pyproject.toml -o requirements/dev.lock
pins=.tools/pins.txt
grep -E '^[a-z0-9].*==' requirements/dev.lock | sed 's/ \\$//' >"$pins"
compile --extra server --group build -c "$pins" pyproject.toml -o requirements/server.lock
