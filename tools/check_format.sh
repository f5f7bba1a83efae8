#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Tells which C files clang-format would change, and lines over 100 columns, which it leaves
# where they are comments. Versions of clang-format differ in what they do; ours is 14.
set -eu
cd "$(dirname "$0")/.."

files=$(find lib include test bench examples -name '*.[ch]')
long=$(for file in $files; do
	expand "$file" | awk -v file="$file" 'length > 100 { print file ":" NR ": over 100 columns" }'
done)
if [ -n "$long" ]; then
	echo "$long"
	exit 1
fi
for format in clang-format-14 clang-format; do
	case $($format --version 2>/dev/null) in
	*'version 14.'*)
		echo "$files" | xargs "$format" --style=file --dry-run -Werror
		exit
		;;
	esac
done
echo 'check_format.sh: clang-format 14 is not here' >&2
exit 77
