#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What httpd makes of requests, polite ones by curl and others byte by byte.
#
# Usage: test_httpd_protocol.sh HTTPD HELLO
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/httpd.sh"

root=$tmp/root
mkdir "$root"
echo small >"$root/small.txt"
touch -d '2001-02-03 UTC' "$root/small.txt" # not when it will be changed
: >"$root/empty"
head -c 2000003 /dev/urandom >"$root/medium"
head -c 5000 /dev/zero >"$root/body"
touch -d '1994-11-06 08:49:37 UTC' "$root/medium"

start_server "$httpd" --port 0 "$root"
url=http://127.0.0.1:$port
files=$(open_files)

check raw requests -- python3 "$here/http_protocol.py" "$port"

# part FIRST LENGTH: the answer is that part of medium.
part() {
	header_is Content-Length "$2"
	header_is Content-Range "bytes $1-$(($1 + $2 - 1))/2000003"
	tail -c "+$(($1 + 1))" "$root/medium" | head -c "$2" >"$tmp/part"
	check "$2 bytes at $1" -- cmp "$tmp/part" "$tmp/body"
}

# Ranges, small ones and those that are sent by themselves.
status_is 206 -r 0-0 "$url/medium"
part 0 1
status_is 206 -r 1000000-1016383 "$url/medium"
part 1000000 16384
status_is 206 -r 1-16385 "$url/medium"
part 1 16385
status_is 206 -r 100000-1900000 "$url/medium"
part 100000 1800001
status_is 206 -r 2000000- "$url/medium"
part 2000000 3
status_is 206 -r 5-9999999 "$url/medium"
part 5 1999998
status_is 206 -r -100000 "$url/medium"
part 1900003 100000
status_is 206 -r 0- "$url/medium"
part 0 2000003
status_is 416 -r 2000003- "$url/medium"
header_is Content-Range 'bytes \*/2000003'
status_is 416 -r 0-0 "$url/empty"
header_is Content-Range 'bytes \*/0'
status_is 200 -r 0-0,5-9 "$url/medium"
check all of it for several ranges -- cmp "$root/medium" "$tmp/body"
status_is 200 -H 'Range: bytes=9-5' "$url/medium"
status_is 404 -r 0-0 "$url/missing"
status_is 200 -I -r 0-0 "$url/medium"
header_is Content-Length 2000003

# A download that broke off goes on, unless the file has changed since.
head -c 700000 "$root/medium" >"$tmp/resumed"
check a download is resumed -- curl -s -S --max-time 120 -C - -o "$tmp/resumed" "$url/medium"
check 'and is whole then' -- cmp "$root/medium" "$tmp/resumed"
status_is 206 -r 10-19 -H 'If-Range: Sun, 06 Nov 1994 08:49:37 GMT' "$url/medium"
part 10 10
status_is 200 -r 10-19 -H 'If-Range: Sun, 06 Nov 1994 08:49:36 GMT' "$url/medium"

# Conditions, as the library behind it has been tested with: here that they get there.
status_is 200 "$url/small.txt"
etag=$(tr -d '\r' <"$tmp/head" | sed -n 's/^ETag: //p')
modified=$(tr -d '\r' <"$tmp/head" | sed -n 's/^Last-Modified: //p')
status_is 304 -H "If-None-Match: $etag" "$url/small.txt"
check 304 has no content -- [ ! -s "$tmp/body" ]
check 304 tells no length -- [ -z "$(grep -i '^Content-' "$tmp/head")" ]
header_is ETag "$etag"
status_is 304 -H "If-None-Match: \"x\", W/$etag" "$url/small.txt"
status_is 304 -H "If-Modified-Since: $modified" "$url/small.txt"
status_is 200 -H "If-None-Match: \"x\"" -H "If-Modified-Since: $modified" "$url/small.txt"
status_is 412 -H "If-Match: \"x\"" "$url/small.txt"
status_is 200 -H "If-Match: $etag" "$url/small.txt"
status_is 412 -H 'If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT' "$url/medium"
status_is 304 -H 'If-Modified-Since: Sun Nov  6 08:49:37 1994' "$url/medium"
status_is 404 -H 'If-None-Match: *' "$url/missing"
status_is 206 -r 0-2 -H "If-Range: $etag" "$url/small.txt"
echo Small >"$root/small.txt"
status_is 200 -r 0-2 -H "If-Range: $etag" "$url/small.txt"
status_is 200 -H "If-None-Match: $etag" "$url/small.txt"
check curl takes what has changed -- curl -s -S --max-time 120 --etag-compare "$tmp/none" \
	--etag-save "$tmp/etag" -o "$tmp/body" "$url/small.txt"
check and saves its tag -- [ "$(cat "$tmp/etag")" != "$etag" ]
check curl leaves what has not -- [ "$(curl -s -S --max-time 120 -w '%{http_code}' \
	--etag-compare "$tmp/etag" "$url/small.txt")" = 304 ]

# Bodies do not end a connection.
connects=$(curl -s -S --max-time 120 -w '%{num_connects}' -o /dev/null -T "$root/body" "$url/x" --next \
	-s -w '%{num_connects}' -o /dev/null -H 'Transfer-Encoding: chunked' -T "$root/body" \
	"$url/x" --next -s -w '%{num_connects}' -o /dev/null "$url/small.txt")
[ "$connects" = 100 ] || fail "bodies cost connections: $connects"
status_is 413 -T "$root/medium" "$url/x"
status_is 405 -H 'Expect: 100-continue' --data-binary "@$root/body" "$url/x"
check a body is asked for -- grep -q '^HTTP/1.1 100' "$tmp/head"
status_is 417 -H 'Expect: a miracle' "$url/small.txt"
status_is 200 -X GET --data-binary "@$root/body" -H 'Expect:' "$url/small.txt"
status_is 200 --http1.0 "$url/small.txt"
header_is Connection close

files_are "$files"
stop_server TERM
finish
