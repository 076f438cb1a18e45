#!/usr/bin/env bash
# Bring the console's third-party assets into src/tidegate/console/assets/vendor, with their licences.
#
#   tools/vendor_assets.sh
#
# The result is committed: neither running nor building Tidegate needs Node or npm. To take a new
# version, change its line in PACKAGES (the checksum is that of the packed archive; the script prints
# the one it got), run the script, look at the pages, commit. To use another icon, add it to ICONS.
set -euo pipefail
cd "$(dirname "$0")/.."
target=src/tidegate/console/assets/vendor

# archive, package@version, sha256 of the archive
PACKAGES="
basecoat  basecoat-css@1.0.2                    b493e77a7ee0b945e41398f5aee186ffa692f930751b960f5ac0853e4b54de48
lucide    lucide-static@1.62.0                  386f9080c440d6f5049cefe3456ae8357f7a0c7f76e59670cd1cb83bc7050a44
geist     @fontsource-variable/geist@5.3.0      533dd66117795ac12316fb05fce27736c4bc63c31613b302d0a5285ca3a291d7
mono      @fontsource-variable/geist-mono@5.3.0 af7a9f156602b859efa95cd1acb824a5322c51a1eca53afb38ed033885736a70
htmx      htmx.org@4.0.1                        5fba65616ca148a86d377e9771bcada7f35faee3558651feb929eea425e13b3c
"
ICONS="arrow-down arrow-left arrow-right arrow-up arrow-up-right bell bell-off bug building-2 calendar chart-column
check chevron-down chevrons-up-down circle-alert circle-check copy download ellipsis eye folder-git-2
bot corner-down-right git-branch git-commit-horizontal git-merge git-pull-request info key-round
layout-grid link link-2 lock log-out mail medal menu minimize-2 monitor moon pencil plus refresh-cw rotate-cw scroll-text search send settings shield sun table-2 terminal
trash-2 triangle-alert user user-plus users wallet x"
# Lucide has no marks of companies any more. This is the outline it drew for GitHub (its 0.x, ISC).
GITHUB='<path d="M15 22v-4a4.8 4.8 0 0 0-1-3.5c3 0 6-2 6-5.5.08-1.25-.27-2.48-1-3.5.28-1.15.28-2.35 0-3.5 0 0-1 0-3 1.5-2.64-.5-5.36-.5-8 0C6 2 5 2 5 2c-.3 1.15-.3 2.35 0 3.5A5.4 5.4 0 0 0 4 9c0 3.5 3 5.5 6 5.5-.39.49-.68 1.05-.85 1.65-.17.6-.22 1.23-.15 1.85v4"/><path d="M9 18c-4.51 2-5-2-7-2"/>'

command -v npm >/dev/null || { echo "npm is needed to vendor assets (never to run Tidegate)." >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

while read -r name package expected; do
  [ -n "$name" ] || continue
  archive=$work/$(cd "$work" && npm pack --silent "$package")
  actual=$(sha256sum "$archive" | cut -d' ' -f1)
  [ "$actual" = "$expected" ] || { echo "$package: expected $expected, got $actual" >&2; exit 1; }
  mkdir "$work/$name"
  tar -xzf "$archive" -C "$work/$name" --strip-components=1
done <<<"$PACKAGES"

rm -rf "$target"
mkdir -p "$target/licenses"
cp "$work/basecoat/dist/basecoat.cdn.min.css" "$target/basecoat.css"
for subset in latin latin-ext; do
  cp "$work/geist/files/geist-$subset-wght-normal.woff2" "$target/geist-$subset.woff2"
  cp "$work/mono/files/geist-mono-$subset-wght-normal.woff2" "$target/geist-mono-$subset.woff2"
done
cp "$work/htmx/dist/htmx.min.js" "$target/htmx.js"
cp "$work/htmx/LICENSE" "$target/licenses/htmx.txt"
cp "$work/basecoat/LICENSE.md" "$target/licenses/basecoat-css.txt"
cp "$work/lucide/LICENSE" "$target/licenses/lucide.txt"
cp "$work/geist/LICENSE" "$target/licenses/geist.txt"
cp "$work/mono/LICENSE" "$target/licenses/geist-mono.txt"

# One sprite of the icons in use. Stroke and fill are set by the page's own style sheet.
{
  printf '<svg xmlns="http://www.w3.org/2000/svg">'
  for icon in $ICONS; do
    body=$(sed -e '/<!--/d' -e '1,/^>/d' -e '/<\/svg>/d' -e 's/^ *//' -e 's/ \/>/\/>/' "$work/lucide/icons/$icon.svg" | tr -d '\n')
    printf '<symbol id="%s" viewBox="0 0 24 24">%s</symbol>' "$icon" "$body"
  done
  printf '<symbol id="github" viewBox="0 0 24 24">%s</symbol>' "$GITHUB"
  printf '</svg>\n'
} >"$target/icons.svg"

{
  echo "Third-party assets of the console, brought by tools/vendor_assets.sh. Do not edit."
  echo "$PACKAGES" | awk 'NF { print "- " $2 }'
} >"$target/README.md"
ls -l "$target"
