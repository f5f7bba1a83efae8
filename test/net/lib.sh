# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Sourced by the tests on a network: each runs in a network and a mount namespace of its own,
# where it may have any addresses, routes and names. Nothing of the machine's is touched, and
# the namespaces end with their last process; that there is none left is checked.
#
# As a user who may not make them the test is skipped.

if [ -z "${EIO_TEST_NAMESPACE-}" ]; then
	for each in 'unshare -m -n' 'unshare -r -m -n'; do
		$each true 2>/dev/null && enter=$each && break
	done
	[ -n "${enter-}" ] || {
		echo 'no namespaces can be made'
		exit 77
	}
	ids=$(mktemp) || exit 1
	EIO_TEST_NAMESPACE=$ids $enter sh "$0" "$@"
	status=$?

	# remaining: the processes in any of the namespaces. Those that are just ending count.
	remaining() {
		for each in /proc/[0-9]*/ns/net; do
			id=$(readlink "$each" 2>/dev/null) && grep -q -x -F "$id" "$ids" && echo "$each"
		done
	}
	for _ in $(seq 600); do
		left=$(remaining)
		[ -n "$left" ] || break
		sleep 0.1
	done
	rm -f "$ids"
	[ -z "$left" ] || {
		echo "FAIL: its namespaces are still there, by $left"
		exit 1
	}
	exit $status
fi

. "$(dirname "$0")/../examples/lib.sh"

# skip WORDS...
skip() {
	echo "$*"
	exit 77
}

readlink /proc/self/ns/net >>"$EIO_TEST_NAMESPACE"
ip link set lo up || skip 'no loopback of its own'

# A cache of names that the machine runs would answer in the place of the files here.
[ ! -d /var/run/nscd ] || mount -t tmpfs none /var/run/nscd || skip 'nscd is here'

# needs COMMAND...: skips the test where one is not there.
needs() {
	for each; do
		command -v "$each" >/dev/null || skip "no $each"
	done
}

# file_is FILE CONTENT: here only, by the mount namespace.
file_is() {
	printf '%s\n' "$2" >"$tmp/$(basename "$1")"
	mount --bind "$tmp/$(basename "$1")" "$1" || skip "no $1 of its own"
}

# far_end: makes a second network. "$in_far COMMAND..." is a command there, of the pid that the
# shell knows.
far_end() {
	unshare -n sleep 1000 &
	far=$!
	pids="$pids $far"
	await a second namespace -- far_is_apart
	readlink "/proc/$far/ns/net" >>"$EIO_TEST_NAMESPACE"
	in_far="nsenter -t $far -n"
	$in_far ip link set lo up
}

far_is_apart() {
	[ "$(readlink "/proc/$far/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
