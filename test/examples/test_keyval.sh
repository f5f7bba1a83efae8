#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Drives keyval with redis-cli and redis-benchmark, compares it with redis-server, and sends raw
# bytes where those are too polite.
#
# Usage: test_keyval.sh KEYVAL HELLO [DOMAINS]
. "$(dirname "$0")/lib.sh"
keyval=$(realpath "$1") || exit 1
domains=${3:-1}
raw_resp=$(realpath "$(dirname "$0")/raw_resp.py") || exit 1
export PYTHONDONTWRITEBYTECODE=1

need_ring "$2"
for program in redis-cli redis-benchmark redis-server; do
	command -v $program >/dev/null || {
		echo "no $program"
		exit 77
	}
done

exits_with 0 "$keyval" --help
check --help prints the usage -- grep -q '^Usage: keyval' "$tmp/stdout"
exits_with 2 "$keyval" --nonsense
exits_with 2 "$keyval" something
exits_with 2 "$keyval" --port 65536
exits_with 2 "$keyval" --port x
exits_with 2 "$keyval" --addr localhost
exits_with 2 "$keyval" --max-connections 1K
exits_with 2 "$keyval" --max-connections -1
exits_with 2 "$keyval" --max-memory 1T
exits_with 2 "$keyval" --max-memory 1KK
exits_with 2 "$keyval" --max-memory 99999999999999999G
exits_with 1 "$keyval" --addr 192.0.2.1 --port 0
check a failure names the address -- grep -q 192.0.2.1 "$tmp/stderr"

start_server "$keyval" --domains "$domains" --port 0
files=$(open_files)
exits_with 1 "$keyval" --port "$port"
check a taken port is named -- grep -q "127.0.0.1:$port" "$tmp/stderr"

# answers WANTED COMMAND...: what redis-cli prints, line ends as spaces.
answers() {
	wanted=$1
	shift
	got=$(redis-cli -p "$port" --no-raw "$@" 2>&1 | tr '\n' ' ' | sed 's/ *$//')
	[ "$got" = "$wanted" ] || fail "'$got' instead of '$wanted': $*"
}
answers PONG ping
answers '"hello"' echo hello
answers OK set name value
answers '"value"' get name
answers '(nil)' get nobody
answers '(nil)' set name other NX
answers '(integer) 8' append name 123
answers OK mset a 1 b 2
answers '1) "1" 2) "2" 3) (nil)' mget a b c
answers '(integer) 2' incr a
answers '(integer) 1' decr a
answers '(integer) 11' incrby a 10
answers '(integer) 1' decrby a 10
answers '(error) ERR value is not an integer or out of range' incr name
answers '(integer) 2' exists a b c
# left MOST: so many seconds are left of the time of "a", but for a minute that went meanwhile.
left() {
	left=$(redis-cli -p "$port" ttl a)
	check "$left of $1 s are left" -- [ "$left" -le "$1" -a "$left" -gt $(($1 - 60)) ]
}
answers '(integer) 1' expire a 100
left 100
answers '(integer) 1' pexpire a 1000000
left 1000
answers '(integer) -1' ttl b
answers '(integer) -2' pttl c
answers '(integer) 2' lpush list x y
answers '(integer) 3' rpush list z
answers '1) "y" 2) "x" 3) "z"' lrange list 0 -1
answers '(integer) 3' llen list
answers '"y"' lpop list
answers '"z"' rpop list
answers '(integer) 2' sadd set m n
answers '(integer) 2' scard set
answers '(integer) 1' sadd set m o
answers '(integer) 1' sadd one m
answers '1) "m"' smembers one
answers '"m"' spop one
answers '(integer) 0' exists one
answers '(integer) 2' hset hash f 1 g 2
answers '"1"' hget hash f
answers '(integer) 2' hlen hash
answers '(integer) 1' hdel hash f
answers '1) "g" 2) "2"' hgetall hash
answers '(error) WRONGTYPE Operation against a key holding the wrong kind of value' get hash
answers '1) "list"' keys 'l?s*'
answers '(integer) 6' dbsize
answers '(integer) 2' del a b
answers OK select 0
answers '(error) ERR DB index is out of range' select 1
answers '1) "maxclients" 2) "0" 3) "maxmemory" 4) "0"' config get 'max*'
answers "(integer) $(redis-cli -p "$port" command | grep -c -E '^(write|readonly)$')" command count
answers '(error) NOPROTO unsupported protocol version' hello 3
answers "(error) ERR wrong number of arguments for 'get' command" get
answers OK quit
answers OK flushall
answers '(integer) 0' dbsize
check INFO tells of the keyspace -- [ "$(redis-cli -p "$port" info | grep -c '^db0:keys=0,')" = 1 ]
check HELLO is answered as RESP2 is -- \
	[ "$(redis-cli -p "$port" hello 2 | head -n 6 | tail -n 1)" = 2 ]
printf 'set piped 1\nincr piped\nget piped\n' | redis-cli -p "$port" >"$tmp/piped"
check commands can be typed -- [ "$(tr '\n' ' ' <"$tmp/piped")" = 'OK 2 2 ' ]

# Every byte as redis-server has it.
keyval_pid=$pid
keyval_port=$port
cd "$tmp" || exit 1
redis-server --port 0 --unixsocket redis --save '' --appendonly no --logfile redis.log \
	>/dev/null 2>&1 &
redis=$!
pids="$pids $redis"
await redis-server -- redis-cli -s redis ping >/dev/null 2>&1
check the same answers as redis-server -- python3 "$raw_resp" "$keyval_port" same redis
kill "$redis"

for test in cut malformed garbage expiry many deaf huge; do
	check "$test" -- python3 "$raw_resp" "$keyval_port" $test
done
files_are "$files"

# Load, with few and with many requests on their way. In time or not at all: where a connection
# fails redis-benchmark 7.0 tries to write to it for ever.
for pipeline in 1 16 200; do
	timeout 120 redis-benchmark -p "$keyval_port" -q -n 4000 -c 50 -P $pipeline -r 1000 \
		-t ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,lrange_100,mset \
		>"$tmp/load" 2>&1 || fail "redis-benchmark -P $pipeline: $?"
	tr '\r' '\n' <"$tmp/load" >"$tmp/load.lines"
	done_tests=$(grep -c 'requests per second' "$tmp/load.lines")
	[ "$done_tests" = 15 ] || fail "$done_tests of 15 loads came to their end"
	check no load was refused -- [ -z "$(grep -i -E 'error|warning' "$tmp/load.lines")" ]
done
files_are "$files"

# A connection that idles does not keep the server from stopping.
cat >"$tmp/idle.py" <<'END'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60)
s.settimeout(60)
s.sendall(b'PING\r\n')
assert s.recv(7) == b'+PONG\r\n'
print('idle', flush=True)
assert s.recv(1) == b'', 'more bytes'
END
python3 "$tmp/idle.py" "$keyval_port" >"$tmp/idle.out" &
idle=$!
pids="$pids $idle"
await an idle connection -- grep -qs idle "$tmp/idle.out"
pid=$keyval_pid
stop_server TERM
check an idle connection is closed -- wait $idle

if has_ipv6; then
	start_server "$keyval" --domains "$domains" --addr ::1 --port 0
	check it serves IPv6 -- [ "$(redis-cli -h ::1 -p "$port" ping)" = PONG ]
	stop_server TERM
fi

start_server "$keyval" --domains "$domains" --port 0 --max-memory 4M --max-connections 100
check limited memory -- python3 "$raw_resp" "$port" limited
stop_server INT

finish
