#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Checks what a shared library claims about itself: no shadow stack, which the
# switch does not handle, and no executable stack.
#
# Usage: tools/check_notes.sh LIBRARY
set -eu

bad=0
if readelf -nW "$1" | grep -E 'SHSTK|GCS'; then
	echo "$1: claims to support a shadow stack"
	bad=1
fi
case $(readelf -lW "$1" | grep GNU_STACK) in
*RWE*)
	echo "$1: needs an executable stack"
	bad=1
	;;
'')
	echo "$1: says nothing about its stack"
	bad=1
	;;
esac
exit $bad
