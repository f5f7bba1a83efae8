#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_supervise.sh SUPERVISE HELLO
. "$(dirname "$0")/lib.sh"
supervise=$(realpath "$1") || exit 1

need_ring "$2"
cd "$tmp" || exit 1

# What is left over on the way out takes its commands down with it: two signals kill them.
take_down() {
	for each in $pids; do
		kill -s TERM "$each" && kill -s INT "$each" && sleep 0.5
	done 2>/dev/null
	clean_up
}
trap take_down EXIT

# prints WORDS... : exactly these lines, each one argument, on the standard output.
prints() {
	printf '%s\n' "$@" >expected
	check "$*" -- diff -u expected stdout
}

# complains WORDS...: the same for the standard error.
complains() {
	printf '%s\n' "$@" >expected
	check "$*" -- diff -u expected stderr
}

# begin COMMAND...: starts it in the background, to print to started and complain to trouble.
# What the one before has said is gone first: a signal that it calls forth would come before the
# program is there.
begin() {
	: >started
	: >trouble
	"$@" >started 2>trouble &
	pid=$!
	pids="$pids $pid"
}

# await_line TEXT [FILE]: until the file, or what was begun, has said this.
await_line() {
	await "a line with $1" -- grep -qs "$1" "${2:-started}" && return
	cat started trouble
	exit 1
}

# ended_with STATUS
ended_with() {
	server_ended
	[ "$status" = "$1" ] || {
		fail "status $status instead of $1"
		cat started trouble
	}
}

# is_gone PID: it has ended; whose child it was may not have collected it yet.
is_gone() {
	[ -n "$1" ] && await "the end of $1" -- has_ended "$1"
}

has_ended() {
	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ]
}

# Usage

exits_with 0 "$supervise" --help
check --help prints the usage -- grep -q '^Usage: supervise' stdout
exits_with 2 "$supervise"
complains 'supervise: no command'
exits_with 2 "$supervise" --nonsense true
for bad in --delay=-1 --delay=x --grace= --grace=1e99 --max-restarts=-1 --max-restarts=1x \
	--restart=sometimes; do
	exits_with 2 "$supervise" "$bad" true
	check "$bad is named" -- grep -q "^supervise: ${bad%%=*}: cannot be ${bad#*=}" stderr
done
exits_with 2 "$supervise" 'a: '
complains 'supervise: a: : no command behind the name'
exits_with 2 "$supervise" "echo 'a"
complains "supervise: echo 'a: a quote is not closed"
exits_with 2 "$supervise" "'' a"
complains "supervise: '' a: the program's name is empty"
exits_with 2 "$supervise" --file nosuch true
complains 'supervise: nosuch: No such file or directory'

# Words and names

cat >words <<'END'
# Words, in quotes and not.
w: printf %s\\n  a\ b "c \"d\" \\ \e" 'e\ "f' '' g"h "'i j'k
	

END
exits_with 0 "$supervise" --file words
prints 'w | a b' 'w | c "d" \ \e' 'w | e\ "f' 'w | ' 'w | gh i jk'
exits_with 0 "$supervise" 'long-name_2: /bin/echo one'
prints 'long-name_2 | one'
exits_with 0 "$supervise" --file words '/bin/echo 1' '/bin/echo 2' 'echo 3' 'last: /bin/echo 4'
sed -n '/printf/!p' stdout | grep -v '^w' | sort >sorted
mv sorted stdout
prints 'echo   | 1' 'echo.2 | 2' 'echo.3 | 3' 'last   | 4'
printf 'a: true\nb: "\n' >words
exits_with 2 "$supervise" --file words
complains 'supervise: words:2: a quote is not closed'

# Lines

exits_with 0 "$supervise" "a: sh -c 'echo out; echo err >&2; echo; printf last'"
prints 'a | out' 'a | ' 'a | last'
complains 'a | err'
exits_with 0 "$supervise" cat "sh -c 'exec >&- 2>&-'"
check no input, no output -- [ ! -s stdout ]

# Longer lines than are kept in memory come in pieces.
exits_with 0 "$supervise" "x: sh -c 'head -c 200000 /dev/zero | tr \\\\0 x; echo; echo end'"
check nothing of a long line is lost -- [ "$(grep -v end stdout | tr -dc x | wc -c)" = 200004 ]
check a long line comes in pieces -- [ "$(wc -l <stdout)" = 5 ]
check what follows is a line of its own -- [ "$(tail -n 1 stdout)" = 'x | end' ]

# Many at once, both streams into one file: every line whole, every command's in order. What
# they write at once begins and ends within lines.
cat >count.awk <<'END'
BEGIN {
	for (i = 0; i < 10000; i++) {
		print name, "out", i
		if (i % 100 == 99)
			print name, "err", i >"/dev/stderr"
	}
}
END
cat >whole.awk <<'END'
{
	step = $4 == "err" ? 100 : 1
	if (NF != 5 || $1 != $3 || $2 != "|" || $5 != ++n[$1, $4] * step - 1)
		print
}
END {
	for (stream in n)
		print n[stream]
}
END
set --
for i in $(seq 50); do
	set -- "$@" "c$i: awk -v name=c$i -f count.awk"
done
"$supervise" "$@" >both 2>&1
check it ends well -- [ $? = 0 ]
awk -f whole.awk both | sort | uniq -c | tr -s ' ' >stdout
prints ' 50 100' ' 50 10000'

# Exit statuses

exits_with 0 "$supervise" true true
check it is quiet about success -- [ ! -s stderr ]
exits_with 3 "$supervise" true 'a: sh -c "exit 3"' true
complains 'supervise: a: exited with code 3'
exits_with 4 "$supervise" 'a: sh -c "until grep -q 4 stderr; do sleep 0.02; done; exit 3"' \
	'b: sh -c "exit 4"'
complains 'supervise: b: exited with code 4' 'supervise: a: exited with code 3'
exits_with 137 "$supervise" "a: sh -c 'kill -KILL \$\$'"
complains 'supervise: a: killed by SIGKILL'
exits_with 127 "$supervise" --restart on-failure './nosuch a' 'echo b'
complains 'supervise: nosuch: execve ./nosuch: No such file or directory'
prints 'echo   | b'
: >no-program
exits_with 126 "$supervise" ./no-program
check what cannot be run is named -- grep -q 'no-program.*Permission denied' stderr

# Restarts

# run.sh N STATUS: counts in the file runs; from the Nth run on it succeeds.
cat >run.sh <<'END'
echo run >>runs
echo "run $(wc -l <runs)"
[ "$(wc -l <runs)" -ge "$1" ] && exit 0
exit "$2"
END
# ran COUNT: so often; and the next count begins.
ran() {
	check "$(wc -l <runs) runs instead of $1" -- [ "$(wc -l <runs)" = "$1" ]
	rm runs
}
exits_with 5 "$supervise" 'sh run.sh 9 5'
ran 1
exits_with 0 "$supervise" --restart on-failure --delay 0 'a: sh run.sh 3 5'
ran 3
prints 'a | run 1' 'a | run 2' 'a | run 3'
complains 'supervise: a: exited with code 5' 'supervise: a: restarts in 0 s' \
	'supervise: a: exited with code 5' 'supervise: a: restarts in 0 s'
exits_with 5 "$supervise" --restart on-failure --delay 0.001 --max-restarts 3 'a: sh run.sh 9 5'
ran 4
complains 'supervise: a: exited with code 5' 'supervise: a: restarts in 0.001 s' \
	'supervise: a: exited with code 5' 'supervise: a: restarts in 0.002 s' \
	'supervise: a: exited with code 5' 'supervise: a: restarts in 0.004 s' \
	'supervise: a: exited with code 5' 'supervise: a: is not restarted any more'
exits_with 0 "$supervise" --restart always --delay 0 --max-restarts 2 'a: sh run.sh 1 5'
ran 3
check success is told, too -- grep -q 'exited with code 0' stderr
exits_with 0 "$supervise" --restart on-failure --delay 0.0001 'a: sh run.sh 10 5'
ran 10
check the delay is doubled six times -- [ "$(grep -c 'in 0.0064 s' stderr)" = 3 ]

# The stop

cat >polite.sh <<'END'
trap 'echo bye; exit $1' TERM
echo ready
while :; do sleep 0.02; done
END
cat >stubborn.sh <<'END'
trap '' TERM
echo "ready $$"
while :; do sleep 0.02; done
END
# Run by nohup(1), all ignore SIGHUP.
ignored=0x$(sed -n 's/^SigIgn:\t.\{8\}//p' /proc/self/status)
for signal in TERM INT $([ $((ignored & 1)) = 1 ] || echo HUP); do
	begin "$supervise" --grace 1000 --restart always 'a: sh polite.sh 0' 'b: sh polite.sh 0' 'c: sleep 1000'
	await_line 'a | ready'
	await_line 'b | ready'
	kill -s $signal "$pid"
	ended_with 0
	check "both end well after SIG$signal" -- [ "$(grep -c bye started)" = 2 ]
	check 'and are not restarted' -- [ "$(grep -c ready started)" = 2 ]
done
begin "$supervise" --grace 1000 'a: sh polite.sh 7'
await_line ready
kill -s TERM "$pid"
ended_with 7

begin "$supervise" --restart always --delay 1000 'a: sh -c "exit 9"'
await_line 'restarts in' trouble
kill -s TERM "$pid"
ended_with 9

begin "$supervise" --grace 0.05 'a: sh stubborn.sh'
await_line ready
kill -s TERM "$pid"
ended_with 137
check the stubborn one is killed -- grep -q 'a: killed by SIGKILL' trouble
check it is gone -- is_gone "$(sed -n 's/a | ready //p' started)"

begin "$supervise" --grace 1000 'a: sh stubborn.sh' 'b: sh stubborn.sh'
await_line 'a | ready'
await_line 'b | ready'
kill -s TERM "$pid"
kill -s INT "$pid"
ended_with 137
check a second signal kills all -- [ "$(grep -c 'killed by SIGKILL' trouble)" = 2 ]

# Whom a command leaves behind in its group is taken down as well, politely first.
cat >leave.sh <<'END'
: >left
sh "$@" >>left &
until grep -q ready left; do sleep 0.02; done
END
exits_with 0 "$supervise" --grace 1000 'sh leave.sh polite.sh 0'
check a descendant is asked to end -- grep -q bye left
exits_with 0 "$supervise" --grace 0.05 'sh leave.sh stubborn.sh'
check one that does not is gone -- is_gone "$(sed -n 's/ready //p' left)"
begin "$supervise" --grace 0.05 "a: sh -c 'trap \"\" TERM; sh stubborn.sh & wait'"
await_line ready
kill -s TERM "$pid"
ended_with 137
check a stubborn family is gone -- is_gone "$(sed -n 's/a | ready //p' started)"

# Who left the group as well is collected while the command goes on.
cat >stray.sh <<'END'
trap 'exit 0' TERM
sh -c 'setsid sh -c "echo stray \$\$" >stray & exec true'
until grep -q stray stray; do sleep 0.02; done 2>/dev/null
echo ready
while :; do sleep 0.02; done
END
begin "$supervise" --grace 1000 'a: sh stray.sh'
await_line ready
stray=$(sed 's/stray //' stray)
await 'nobody left as a zombie' -- [ ! -e "/proc/$stray" ]
kill -s TERM "$pid"
ended_with 0

# Who left it with the output is not waited for when all is to stop.
cat >keeper.sh <<'END'
setsid sleep 1000 &
echo "ready $!"
wait
END
begin "$supervise" --grace 0.05 'a: sh keeper.sh'
await_line ready
kill -s TERM "$pid"
ended_with 0
kill -s KILL "$(sed -n 's/a | ready //p' started)"

# What was ignored stays so.
begin sh -c 'trap "" HUP; exec "$0" "$@"' "$supervise" --grace 1000 'a: sh polite.sh 0'
await_line ready
kill -s HUP "$pid"
kill -s TERM "$pid"
ended_with 0

# Each has a group of its own.
begin "$supervise" --grace 1000 'a: sh polite.sh 0'
await_line ready
child=$(pgrep -P "$pid")
check the group is the child -- [ "$(ps -o pgid= -p "$child" | tr -d ' ')" = "$child" ]
kill -s TERM "$pid"
ended_with 0

# Nobody reads: all is taken down, and it says so.
{
	"$supervise" 'a: sh -c "echo $$ >reader; exec yes"' 2>trouble
	echo $? >status
} | head -n 1 >/dev/null
check a reader that goes is a failure -- [ "$(cat status)" = 1 ]
check it is named -- grep -q 'supervise: .*Broken pipe' trouble
check the writer is gone -- is_gone "$(cat reader)"

# Colours are for terminals.
cat >terminal.py <<'END'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
try:
    while part := os.read(fd, 1000):
        said += part
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.buffer.write(said.replace(b'\r\n', b'\n'))
END
exits_with 0 python3 terminal.py "$supervise" 'a: echo b' 'c: true'
prints "$(printf '\033[31ma |\033[0m b')"
exits_with 0 "$supervise" 'a: echo b'
prints 'a | b'

finish
