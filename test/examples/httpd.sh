# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Sourced after lib.sh by the tests of httpd, with their arguments: HTTPD HELLO. They set $root
# and $url. The working directory is $tmp, and $here where the tests are.
# shellcheck disable=SC2034,SC2154 # shared with them
httpd=$(realpath "$1") || exit 1
here=$(realpath "$(dirname "$0")") || exit 1
raw_http=$here/raw_http.py
export PYTHONDONTWRITEBYTECODE=1

need_ring "$2"
command -v curl >/dev/null || {
	echo 'no curl'
	exit 77
}
cd "$tmp" || exit 1

fetch() {
	curl -s -S --max-time 120 --path-as-is -o "$tmp/body" -D "$tmp/head" -w '%{http_code}' "$@" \
		2>"$tmp/curl.err"
}

# status_is STATUS CURL-ARGUMENT...
status_is() {
	wanted=$1
	shift
	: >"$tmp/body"
	got=$(fetch "$@") || fail "curl status $?: $* ($(cat "$tmp/curl.err"))"
	[ "$got" = "$wanted" ] || fail "$got instead of $wanted: $*"
}

# header_is NAME VALUE: of the last answer.
header_is() {
	tr -d '\r' <"$tmp/head" | grep -q "^$1: $2\$" || {
		fail "no header '$1: $2'"
		cat "$tmp/head"
	}
}

# serves FILE PATH: the path gives that file's content.
serves() {
	status_is 200 "$url$2"
	check "content of $2" -- cmp "$root/$1" "$tmp/body"
	header_is Content-Length "$(stat -L -c %s "$root/$1")"
}
