# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts of the test bed share: places, and which kernel is meant by
# a name such as "6.12" or "debug". To be sourced.

set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL # each make of ours starts anew

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
# shellcheck disable=SC2034 # for those who source this
guest=$top/tools/testing/guest
cache=${VSOCKDEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vsockdev}

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "${0##*/}: $*"
	exit 1
}

# The installed headers of a series such as 6.12, newest first wins.
headers_of_series()
{
	local dir

	dir=$(find /lib/modules -maxdepth 1 -name "$1.*-amd64" \
		! -name '*-cloud-*' ! -name '*-rt-*' | sort -V | tail -n 1)
	[[ -n $dir && -e $dir/build ]] && echo "$dir/build"
}

# The newest series at hand, for those who did not name a kernel.
default_kernel()
{
	local name

	for name in 6.12 6.1; do
		! headers_of_series "$name" >/dev/null || break
	done
	echo "$name"
}

# What a kernel of these headers calls itself (uname -r).
kver_of()
{
	cut -s -d '"' -f 2 "$1/include/generated/utsrelease.h"
}

# A debug kernel is known by its configuration; of several, the newest source.
debug_kernel_key()
{
	sha256sum <"$guest/debug.config" | cut -c 1-12
}

debug_kernel_dir()
{
	local mark

	mark=$(find "$cache/debug-kernel" -mindepth 2 -maxdepth 2 \
		-path "*-$(debug_kernel_key)/complete" 2>/dev/null |
		sort -V | tail -n 1)
	[[ -n $mark ]] && echo "${mark%/complete}"
}

# Sets kver, kdir (what modules are built against), image (what QEMU boots)
# and moddir (a folder with lib/modules/$kver) for the name of a kernel.
# shellcheck disable=SC2034 # for those who source this
select_kernel()
{
	case $1 in
	debug)
		kdir=$(debug_kernel_dir) ||
			die "no debug kernel yet: make debug-kernel"
		image=$kdir/vmlinux
		moddir=$kdir/modules
		;;
	*)
		kdir=$(headers_of_series "$1") ||
			die "no headers of Linux $1 installed: make setup"
		image=$cache/kernel/$(kver_of "$kdir")/vmlinuz
		moddir=${image%/vmlinuz}
		;;
	esac
	kver=$(kver_of "$kdir")
	[[ -e $image ]] || die "no image of Linux $kver yet: make setup"
}
