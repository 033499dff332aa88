#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Documents and comments: what is generated is up to date, what is named exists.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

bash docs/generate --check "$PWD" 2>&1 | check "what is generated in the documents is up to date"

perl docs/messages 2>&1 > /dev/null |
	check "every message that docs/messages finds names its next step"

name="docs/benchmarks.md and the figures of README.md are those of the kept results"
if need jq jq "$name"; then
	bash tests/bench/document --check "$PWD" 2>&1 | check "$name"
fi

for file in *.md docs/*.md; do
	grep -noE '\]\([^):#]+' "$file" | while IFS=: read -r line link; do
		[[ -e $(dirname "$file")/${link#](} ]] || echo "$file:$line: there is no ${link#](}"
	done
done | check "documents link to what there is"

for file in docs/*.md; do
	grep -qF "]($file" README.md || echo "$file"
done | check "README.md links to every document"

# Paths below our folders; those with an upper-case letter stand for any, others are the kernel's.
path='(?<![\w/.$}-])(arch|src|include|module|tests|tools|docs)/[\w./*-]*[\w/*](?![\w./*{$-])'
files '.*' . | grep -vE '^\./tests/lint/(prove|docs\.sh)$' | while IFS= read -r file; do
	grep -nIoP "$path" "$file" | sed "s|^|${file#./}:|"
done | while IFS=: read -r file line name; do
	[[ $name =~ [A-Z] || $name =~ ^arch/x86/(include|kernel|kvm|mm)/ ]] ||
		compgen -G "$name" > /dev/null || echo "$file:$line: there is no $name"
done | check "files that are named exist"

# Pages change with every edition, sections rarely, and their titles last.
files '.*\.(c|h|S|asm|inc|md|sh)|.*/README' . | grep -v '^\./tests/lint/' |
	xargs grep -nE '\bSDM\b.*(\bpages?|\bpp?\.) *[0-9]|\bSDM,? +[0-9]' | sed 's|^\./||' |
	check "the SDM is cited by volume and section, not by page"
