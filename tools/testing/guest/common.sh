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

# Kernels that are built from source (build-kernel). Sets name, series, arch and
# configs, the parts of its configuration; fails for the name of another.
# shellcheck disable=SC2034 # for those who source this
built_kernel()
{
	case $1 in
	7.2) series=7.2 arch=x86 configs=(base x86 plain) ;;
	uml) series=7.2 arch=um configs=(base uml) ;;
	debug) series=6.12 arch=x86 configs=(base x86 debug) ;;
	kcsan) series=6.12 arch=x86 configs=(base x86 kcsan) ;;
	*) return 1 ;;
	esac
	name=$1
}

kernel_config()
{
	local part

	for part in "${configs[@]}"; do
		cat "$guest/configs/$part.config"
	done
}

kernel_key()
{
	kernel_config | sha256sum | cut -c 1-12
}

# A built kernel is known by its configuration; of several, the newest source.
built_kernel_dir()
{
	local mark

	mark=$(find "$cache/test-kernel" -mindepth 2 -maxdepth 2 \
		-path "*/$name-*-$(kernel_key)/complete" 2>/dev/null |
		sort -V | tail -n 1)
	[[ -n $mark ]] && echo "${mark%/complete}"
}

# Sets kver, kdir (what modules are built against), arch (for which), image
# (what is booted) and moddir (a folder with lib/modules/$kver) for the name of
# a kernel.
# shellcheck disable=SC2034 # for those who source this
select_kernel()
{
	if built_kernel "$1"; then
		kdir=$(built_kernel_dir) ||
			die "no kernel $1 yet: make kernels KERNELS=$1"
		moddir=$kdir/modules
		image=$kdir/vmlinux
	else
		kdir=$(headers_of_series "$1") ||
			die "no headers of Linux $1 installed: make setup"
		arch=x86
		moddir=$cache/kernel/$(kver_of "$kdir")
		image=$moddir/vmlinuz
	fi
	kver=$(kver_of "$kdir")
	[[ -e $image ]] || die "no image of Linux $kver yet: make setup"
}
