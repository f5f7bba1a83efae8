#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The pages of links that httpd --listing makes of directories.
#
# Usage: test_httpd_listing.sh HTTPD HELLO [ENTRIES]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/httpd.sh"
entries=${3-10000}

root=$tmp/root
mkdir "$root" "$root/empty" "$root/large" "$root/odd" "$root/with-index" "$root/n & <b>"
echo small >"$root/small.txt"
echo index >"$root/with-index/index.html"
ln -s . "$root/loop"
ln -s "$tmp" "$root/out"
python3 - "$root" "$entries" <<'END'
import os, sys
root = os.fsencode(sys.argv[1])
def make(name):
    os.close(os.open(os.path.join(root, name), os.O_CREAT | os.O_WRONLY))
for name in [b"a&b", b"a<b>", b'a"b', b"a'b", b"a b", b"a:b", b"a?b", b"a#b", b"a%41b", b"a\\b", b"\n",
             b"\x01", b"\xff\xfe", b"\xc3\xa4", b".hidden", b"&amp;", b"javascript:x", b"x" * 255,
             b'"' * 255]:
    make(b"odd/" + name)
for i in range(int(sys.argv[2])):
    make(b"large/%d" % i)
END

start_server "$httpd" --port 0 --listing "$root"
url=http://127.0.0.1:$port
files=$(open_files)

for path in / /empty/ /odd/ /n%20%26%20%3Cb%3E/ /large/; do
	check "listing $path" -- \
		python3 "$here/http_listing.py" "$port" "$root" "$path"
done
status_is 301 "$url/odd"
header_is Location /odd/
status_is 301 "$url/n%20%26%20%3cb%3e?x"
header_is Location '/n%20%26%20%3Cb%3E/?x'
serves with-index/index.html /with-index/
status_is 200 "$url/loop/loop/"
status_is 404 "$url/missing/"
status_is 404 "$url/small.txt/"
status_is 403 "$url/out/"
status_is 403 "$url/../"
status_is 304 -H 'If-None-Match: *' "$url/"
status_is 412 -H 'If-Match: "x"' "$url/"
status_is 200 -r 0-1 "$url/"

# Clients that go in the middle of it leave nothing behind.
for _ in 1 2 3; do
	curl -s --max-time 120 "$url/large/" | head -c 100000 >/dev/null
done
files_are "$files"
stop_server TERM
finish
