#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Connecting to hosts that answer, refuse, drop what they are sent, or cannot be reached at
# all, under names with addresses of both families.
#
# Usage: test_connect.sh PROBE ECHO HELLO
. "$(dirname "$0")/lib.sh"
probe=$1
echo=$2

need_ring "$3"
needs ip

# A cable whose far end is nobody's: what goes to its neighbours is dropped without a word.
ip link add hole type veth peer name nobody || skip 'no veth'
ip addr add 192.0.2.1/24 dev hole
ip addr add 2001:db8::1/64 dev hole nodad || skip 'no IPv6'
ip link set nobody up
ip link set hole up
ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev hole
ip neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev hole

# The addresses that answer.
ip addr add 198.51.100.1/32 dev lo
ip addr add 2001:db8:1::1/128 dev lo
file_is /etc/nsswitch.conf 'hosts: files'
file_is /etc/hosts '
198.51.100.1    four.test mixed.test half.test far.test
2001:db8:1::1   six.test half.test late.test
2001:db8::2     mixed.test dead.test
192.0.2.2       dead.test late.test
2001:db9::1     far.test gone.test
'
start_server "$echo" 198.51.100.1:0
four=$port
start_server "$echo" '[2001:db8:1::1]:0'
six=$port

# says STATUS TEXT PROBE-ARGUMENT...: and it does not take for ever.
says() {
	wanted=$1 text=$2
	shift 2
	exits_with "$wanted" timeout 60 "$probe" "$@"
	check "'$text' of $*: $(cat "$tmp/stdout" "$tmp/stderr")" -- \
		grep -q -x -F "$text" "$tmp/stdout" "$tmp/stderr"
}

says 0 "connected to 198.51.100.1:$four" connect four.test "$four" 0
says 0 "connected to [2001:db8:1::1]:$six" connect six.test "$six" 0

# A limit of 100 s for each attempt: who waited for one to end would be late.
says 0 "connected to 198.51.100.1:$four" connect mixed.test "$four" 100000
says 0 "connected to 198.51.100.1:$four" connect half.test "$four" 100000
says 0 "connected to 198.51.100.1:$four" connect far.test "$four" 100000

says 1 'ETIMEDOUT after 0 bytes: connect dead.test ([2001:db8::2]:7): Connection timed out' \
	connect dead.test 7 400
says 1 'ETIMEDOUT after 0 bytes: connect 192.0.2.2 (192.0.2.2:7): Connection timed out' \
	connect 192.0.2.2 7 100
says 1 'ECONNREFUSED after 0 bytes: connect four.test (198.51.100.1:1): Connection refused' \
	connect four.test 1 0
says 1 'ECONNREFUSED after 0 bytes: connect half.test ([2001:db8:1::1]:1): Connection refused' \
	connect half.test 1 0
says 1 'ECONNREFUSED after 0 bytes: connect late.test ([2001:db8:1::1]:1): Connection refused' \
	connect late.test 1 300
says 1 'ENETUNREACH after 0 bytes: connect gone.test ([2001:db9::1]:7): Network is unreachable' \
	connect gone.test 7 0
says 1 'EIO_EAI after 0 bytes: getaddrinfo none.test: Name or service not known' \
	connect none.test 7 0

finish
