#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Builds eio in a fresh Debian of another release and runs its tests there, with that
# release's compiler, C library and liburing and the running kernel.
set -eu

usage() {
	cat <<'EOF'
Usage: tools/matrix.sh [--dir DIR] SUITE

Makes a Debian SUITE (trixie, sid, ...) in a folder, from the mirror that apt
uses here, copies the working tree to it and builds and tests it there as
release and as debug. Uses sudo if you are not root.

  --dir DIR   keep the folder as DIR/SUITE, and use it if it is there
  --help      print this text

Status 77 if that Debian cannot be fetched.
EOF
}

fail() {
	echo "matrix.sh: $*" >&2
	exit 1
}

dir=
if [ "${1-}" = --help ]; then
	usage
	exit
elif [ "${1-}" = --dir ] && [ $# = 3 ]; then
	dir=$(realpath -m "$2")
	shift 2
fi
case $#:${1-} in
1:[a-z]*) suite=$1 ;;
*) usage >&2 && exit 2 ;;
esac
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || fail 'neither root nor sudo, and chroot needs it'
	exec sudo tools/matrix.sh ${dir:+--dir "$dir"} "$suite"
fi
command -v debootstrap >/dev/null || fail 'no debootstrap: tools/setup.sh --ci installs it'
# shellcheck disable=SC2016 # a format of apt's
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
	head -n 1)
[ -n "$mirror" ] || fail 'apt knows no mirror of Debian: is this one, after apt-get update?'
# meson brings ninja and Python, curl is for the tests of the examples.
packages=gcc,libc6-dev,meson,pkgconf,liburing-dev,check,curl

child=
temporary=
clean_up() {
	[ -z "$child" ] || kill -KILL "$child" 2>/dev/null || :
	[ -z "$temporary" ] || rm -rf --one-file-system "$temporary" ||
		{ sleep 1 && rm -rf --one-file-system "$temporary"; }
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
if [ -z "$dir" ]; then
	temporary=$(mktemp -d)
	dir=$temporary
fi
mkdir -p "$dir"
root=$dir/$suite

# contained COMMAND...: in namespaces of its own, so that mounts and processes end with it.
# In the background, as unshare does not heed signals.
contained() {
	unshare --mount --pid --fork --kill-child "$@" &
	child=$!
	status=0
	wait $child || status=$?
	child=
	return $status
}

# fetch: into an empty folder, since what an attempt leaves behind is no good for the next one.
fetch() {
	rm -rf --one-file-system "$root.new"
	contained debootstrap --variant=minbase --include=$packages "$suite" "$root.new" "$mirror"
}

if [ ! -d "$root" ]; then
	fetch || { sleep 20 && fetch; } || { sleep 60 && fetch; } || {
		echo "matrix.sh: Debian $suite cannot be fetched from $mirror"
		exit 77
	}
	mv "$root.new" "$root"
fi
rm -rf "$root/eio"
mkdir "$root/eio"
git ls-files -z --cached --others --exclude-standard |
	tar --null -T - -c | tar --no-same-owner -C "$root/eio" -x

# shellcheck disable=SC2016 # for the shell inside
contained sh -eu -c '
	mount -t proc proc "$1/proc"
	mount --rbind /dev "$1/dev"
	exec chroot "$1" sh -eu -c "$2"
' sh "$root" '
	cd /eio
	printf "\nLinux %s, liburing %s, meson %s, %s\n\n" "$(uname -r)" \
		"$(pkg-config --modversion liburing)" "$(meson --version)" "$(gcc --version | head -n 1)"
	for type in release debug; do
		meson setup build-$type --buildtype=$type -Dwerror=true
		meson test -C build-$type --print-errorlogs
	done
'
