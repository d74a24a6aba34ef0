# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2207 # words without spaces
#
# Completion of vsockdev for bash; to be sourced.

_vsockdev_command()
{
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d | --device) i=$((i + 1)) ;;
		-*) ;;
		*) echo "${COMP_WORDS[i]}"; return ;;
		esac
	done
}

_vsockdev_options()
{
	case $1 in
	'') echo --device --verbose --version --help ;;
	cid) echo --help ;;
	info | monitor | devices) echo --json --help ;;
	connect) echo --local-port --timeout --linger --tcp --seqpacket \
		--help ;;
	listen) echo --keep --exec --tcp --seqpacket --timeout --linger \
		--help ;;
	send) echo --listen --vmo --offset --length --local-port --timeout \
		--linger --help ;;
	recv) echo --connect --local-port --timeout --help ;;
	bind | unbind) echo --device --help ;;
	esac
}

_vsockdev()
{
	local word=${COMP_WORDS[COMP_CWORD]} command

	command=$(_vsockdev_command)
	COMPREPLY=()
	case $word in
	-*) COMPREPLY=($(compgen -W "$(_vsockdev_options "$command")" \
		-- "$word")) ;;
	*) [[ -n $command ]] || COMPREPLY=($(compgen -W \
		"cid info monitor connect listen send recv devices bind
		unbind" -- "$word")) ;;
	esac
}

complete -o default -F _vsockdev vsockdev
