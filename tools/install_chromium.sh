#!/usr/bin/env bash
# See to it that the browser tests find Chromium: installed by apt when root and missing.
set -euo pipefail
for name in "${TIDEGATE_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome; do
  if [ -n "$name" ] && command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium for the browser tests"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
  exit 0
fi
echo "The browser tests need Chromium. On Debian: sudo apt-get install chromium" >&2
echo "Elsewhere, name a Chromium or Chrome: export TIDEGATE_TEST_CHROMIUM=/path/to/chrome" >&2
exit 1
