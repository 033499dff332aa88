#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every shell script: the license, set -u, and shellcheck's opinion.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

# Programs by their first line; what they source is looked at together with them.
mapfile -t programs < <(files '.*' . | while IFS= read -r file; do
	! head -c 64 "$file" | head -n 1 | grep -qaE '^#!.*[/ ](ba)?sh\b' || echo "$file"
done)
mapfile -t fragments < <(files '.*\.sh' . | grep -vxF -f <(printf '%s\n' "${programs[@]}"))

for file in "${programs[@]}" "${fragments[@]}"; do
	head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' ||
		echo "$file does not say SPDX-License-Identifier: GPL-2.0-only"
done | check "every shell script says its license"

# In the program itself, or in a file beside it that it sources.
for file in "${programs[@]}"; do
	mapfile -t all < <(sed -nE "s|^\\. .*[/\"]([a-z_]+\\.sh)\"?\$|${file%/*}/\\1|p" "$file")
	grep -qsE '^set -[a-z]*u' "$file" "${all[@]}" || echo "$file lacks set -u"
done | check "every shell script stops at unset variables"

if need shellcheck shellcheck "shellcheck has nothing to say"; then
	# What a fragment sets and this program does not use, another one does.
	fragment=$(printf '%s|' "${fragments[@]#./}")
	shellcheck -x -a -P SCRIPTDIR:. -f gcc "${programs[@]}" 2>&1 | sed 's|/\./|/|g' | sort -u |
		grep -vE "^(\./)?(${fragment%|}):.*SC2034" |
		check "shellcheck has nothing to say"
fi
