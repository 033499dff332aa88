# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What every check uses: the tree's root, its files, C without comments, and the verdict.

root=${1:?the tree to check}
cd "$root" || exit 1

# check NAME: findings on stdin, one a line; none is a pass.
check() {
	local findings
	findings=$(cat)
	if [[ -z $findings ]]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "$findings" | sed 's/^/# /'
	fi
}

# cannot WHY CHECK...: what is needed for the checks is not there. They are skipped; but under `make
# test`, which installs all packages first, they fail.
cannot() {
	local why=$1 name

	shift
	for name; do
		if [[ -n ${MERCURY_TEST-} ]]; then
			check "$name" <<< "$why"
		else
			echo "ok - $name # SKIP $why"
		fi
	done
}

# need TOOL PACKAGE CHECK...: is TOOL there? If not, the checks cannot be made.
need() {
	local tool=$1 package=$2

	command -v "$tool" > /dev/null && return
	shift 2
	cannot "$tool is not installed: apt-get install $package" "$@"
	return 1
}

# files PATTERN FOLDER...: files below the folders whose name matches; folders may be missing.
files() {
	local pattern=$1 folder
	shift
	for folder; do
		[[ ! -d $folder ]] || find "$folder" -type f -regextype posix-extended \
			-regex ".*/$pattern" ! -path './.git/*' ! -path './build/*' -print
	done | sort
}

# code FILE: FILE:LINE:TEXT of each line, with comments blanked and strings kept.
code() {
	awk -v file="$1" '
	{
		text = ""
		rest = $0
		while (rest != "") {
			if (inside) {
				at = index(rest, "*/")
				if (!at) { rest = ""; break }
				rest = substr(rest, at + 2)
				inside = 0
				continue
			}
			if (!match(rest, /"([^"\\]|\\.)*"|\/\*|\/\//)) { text = text rest; break }
			text = text substr(rest, 1, RSTART - 1)
			token = substr(rest, RSTART, RLENGTH)
			rest = substr(rest, RSTART + RLENGTH)
			if (token == "//") break
			if (token == "/*") inside = 1
			else text = text token
		}
		print file ":" NR ":" text
	}' "$1"
}

# code_of PATTERN FOLDER...: code of all those files.
code_of() {
	local file
	files "$@" | while IFS= read -r file; do code "$file"; done
}

include_line='[[:space:]]*#[[:space:]]*include[[:space:]]*'

# includes PATTERN FOLDER...: "FILE WHAT" for each include, WHAT with its <> or "".
includes() {
	code_of "$@" | sed -nE "s/^([^:]*):[0-9]*:$include_line([<\"][^>\"]*[>\"]).*/\\1 \\2/p"
}
