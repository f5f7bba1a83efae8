#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_hello.sh HELLO
. "$(dirname "$0")/lib.sh"
hello=$1

need_ring "$hello"

cat >"$tmp/expected" <<'END'
Hello from fiber 1.
Hello from fiber 2.
Hello from fiber 3.
Goodbye from fiber 1.
Goodbye from fiber 2.
Goodbye from fiber 3.
END
exits_with 0 "$hello"
check the fibers take turns in order -- diff "$tmp/expected" "$tmp/stdout"
check it is quiet on standard error -- [ ! -s "$tmp/stderr" ]

exits_with 0 "$hello" --help
check --help prints the usage -- grep -q '^Usage: hello' "$tmp/stdout"
exits_with 2 "$hello" surplus
check a wrong call prints the usage -- grep -q '^Usage: hello' "$tmp/stderr"

"$hello" >/dev/full 2>"$tmp/stderr"
check output that cannot be written is a failure -- [ $? = 1 ]
check and is explained -- grep -q 'No space left' "$tmp/stderr"

finish
