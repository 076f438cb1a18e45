#!/usr/bin/env bash
# Bring the pinned installer (uv) into .tools, apart from the environment that it manages.
set -euo pipefail
python=${1:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  echo "Tidegate needs Python 3.11 or newer; '$python' is not. Name one: make PYTHON=/path/to/python3.11" >&2
  exit 1
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq python3-venv
  else
    echo "Python's venv module is missing. On Debian: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi
rm -rf .tools/uv
"$python" -m venv .tools/uv
.tools/uv/bin/pip install --quiet --require-hashes -r requirements/bootstrap.txt
touch .tools/uv/installed
