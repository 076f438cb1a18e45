#!/usr/bin/env bash
# Install the pinned coding agents into .tools/agents. What is there already is reused.
set -euo pipefail
cd "$(dirname "$0")/.."
target=.tools/agents
stamp=$target/installed
lock=tools/agents/package-lock.json

cmp -s "$lock" "$stamp" && exit 0
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  echo "The wire tests run the agents' Linux x86-64 programs; this is $(uname -s) $(uname -m)." >&2
  exit 1
fi
if ! command -v npm >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends npm
  else
    echo "npm is missing. On Debian: sudo apt-get install npm" >&2
    exit 1
  fi
fi
mkdir -p "$target"
rm -f "$stamp"
cp tools/agents/package.json tools/agents/package-lock.json tools/agents/.npmrc "$target/"
echo "Installing the coding agents for the wire tests (about 1 GB on disk)"
npm ci --prefix "$target" --no-progress --loglevel=error
cp "$lock" "$stamp"
