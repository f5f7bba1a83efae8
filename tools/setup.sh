#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Installs what building and testing eio needs and configures build/. Quick and
# silent when there is nothing to do.
set -eu
cd "$(dirname "$0")/.."

usage() {
	cat <<'EOF'
Usage: tools/setup.sh [--ci]

Installs what is missing to build and test eio with the system's package
manager (apt, dnf, pacman, zypper or apk) and configures build/ once. Uses
sudo if something is missing and you are not root.

  --ci      install what .ci/run needs as well (Debian and Ubuntu only)
  --help    print this text
EOF
}

# Asks for the thing itself, not for a package: it may have come another way.
has() {
	case $1 in
	compiler) printf '#include <%s>\n' stdio.h linux/stat.h | ${CC:-cc} -E - ;;
	ninja) command -v ninja || command -v ninja-build || command -v samu ;;
	liburing) pkg-config --exists 'liburing >= 2.3' ;;
	check) pkg-config --exists check ;;
	clang-rt) [ -e "$(clang -print-file-name="libclang_rt.tsan-$(uname -m).a")" ] ;;
	aarch64-libc) echo '#include <stdio.h>' | aarch64-linux-gnu-gcc -E - ;;
	riscv64-libc) echo '#include <stdio.h>' | riscv64-linux-gnu-gcc -E - ;;
	debootstrap | nginx | ip | tc) # perhaps in root's path only
		[ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] || command -v "$1"
		;;
	nginx-stream) [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}

missing() {
	for need in $needs; do
		has "$need" || printf '%s ' "$need"
	done
}

# The packages that bring the thing, as this package manager calls them.
packages_for() {
	case $manager:$1 in
	apt-get:compiler) echo gcc libc6-dev ;;
	apk:compiler) echo gcc musl-dev linux-headers ;;
	*:compiler) echo gcc ;;
	apt-get:ninja | dnf:ninja) echo ninja-build ;;
	apk:ninja) echo samurai ;;
	dnf:pkg-config) echo pkgconf-pkg-config ;;
	pacman:pkg-config | apk:pkg-config) echo pkgconf ;;
	apt-get:liburing | apk:liburing) echo liburing-dev ;;
	dnf:liburing | zypper:liburing) echo liburing-devel ;;
	apk:check) echo check-dev ;;
	dnf:check | zypper:check) echo check-devel ;;
	apt-get:clang-rt) echo libclang-rt-dev ;;
	apt-get:aarch64-linux-gnu-gcc) echo gcc-aarch64-linux-gnu ;;
	apt-get:aarch64-libc) echo libc6-dev-arm64-cross ;;
	apt-get:riscv64-linux-gnu-gcc) echo gcc-riscv64-linux-gnu ;;
	apt-get:riscv64-libc) echo libc6-dev-riscv64-cross ;;
	apt-get:qemu-aarch64 | apt-get:qemu-riscv64) echo qemu-user ;;
	apt-get:musl-gcc) echo musl-tools ;;
	apt-get:llvm-symbolizer) echo llvm ;;
	apt-get:valgrind) echo valgrind libc6-dbg ;;
	apt-get:nginx-stream) echo libnginx-mod-stream ;;
	apt-get:redis-cli | apt-get:redis-benchmark) echo redis-tools ;;
	*:ip | *:tc) echo iproute2 ;;
	*) echo "$1" ;;
	esac
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
		-o DPkg::Lock::Timeout=300 "$@"
}

install_packages() {
	case $manager in
	apt-get)
		# Old lists may do if the new ones cannot be had. Each file is asked for several
		# times, and all of it once more, as a mirror that changes meanwhile asks for.
		apt_get update || :
		apt_get install --no-install-recommends "$@" || {
			sleep 20
			apt_get update || :
			apt_get install --no-install-recommends "$@"
		}
		;;
	dnf) as_root dnf install -y "$@" ;;
	pacman) as_root pacman -Sy --needed --noconfirm "$@" ;;
	zypper) as_root zypper --non-interactive install "$@" ;;
	apk) as_root apk add "$@" ;;
	esac
}

fail() {
	echo "setup.sh: $*" >&2
	exit 1
}

needs='compiler meson ninja pkg-config liburing check curl'
case ${1-} in
'') ;;
--ci)
	needs="$needs g++ clang clang-rt clang-format gdb valgrind aarch64-linux-gnu-gcc"
	needs="$needs aarch64-libc qemu-aarch64 riscv64-linux-gnu-gcc riscv64-libc qemu-riscv64"
	needs="$needs musl-gcc llvm-symbolizer wrk debootstrap"
	needs="$needs redis-server redis-cli redis-benchmark nginx nginx-stream socat ip tc"
	;;
--help)
	usage
	exit
	;;
*)
	usage >&2
	exit 2
	;;
esac

todo=$(missing)
if [ -n "$todo" ]; then
	manager=
	for candidate in apt-get dnf pacman zypper apk; do
		if has $candidate; then
			manager=$candidate
			break
		fi
	done
	packages=$(for need in $todo; do packages_for "$need"; done | tr '\n' ' ')
	packages=${packages% }

	[ -n "$manager" ] || fail "no known package manager; please install: $packages"
	[ "$(id -u)" = 0 ] || has sudo || fail "neither root nor sudo; please install: $packages"
	echo "setup.sh: installing $packages"
	# shellcheck disable=SC2086 # a list
	install_packages $packages || fail "could not install: $packages"

	todo=$(missing)
	[ -z "$todo" ] || fail "still missing: $todo(liburing has to be 2.3 or newer)"
	installed=yes
fi

if [ ! -e build/build.ninja ]; then
	meson setup build
elif [ -n "${installed-}" ]; then
	meson setup --reconfigure build
fi
