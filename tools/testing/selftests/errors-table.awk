#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes C of the table in Documentation/userspace-api/errors.rst:
#
#	errors-table.awk -v form=FORM vsockdev.h errors.rst
#
# For each errno of each call, "rows" gives an initializer { call, errno }, and
# "tests" the variant of a fixture. What "every ioctl" is stands in the header.

function column(i)
{
	return substr($0, begin[i], i < 4 ? begin[i + 1] - begin[i] : 1000)
}

function trim(text)
{
	gsub(/^ +| +$/, "", text)
	return text
}

# The columns begin where their rulers do.
function measure(line, i, at)
{
	at = 1
	for (i = 1; i <= 4; i++) {
		begin[i] = at
		at += match(substr(line, at), /= /) + 1
	}
}

function write(call, name)
{
	if (form == "rows") {
		printf "{ CALL_%s, %s },\n", call, errno
		return
	}
	name = call "_returns_" errno
	if (test != "\\-")
		name = name "_" test
	printf "FIXTURE_VARIANT_ADD(row, %s)\n{\n", name
	printf "\t.call = CALL_%s,\n\t.error = %s,\n", call, errno
	if (test != "\\-")
		printf "\t.provoke = %s_%s,\n", errno, test
	printf "\t.when = \"%s\",\n};\n\n", when
}

function write_every_ioctl_but(list, i)
{
	for (i = 1; i <= ioctls; i++)
		if (list !~ "(^|[ ,])" ioctl[i] "($|,)")
			write(ioctl[i])
}

# Ends the row that was gathered from several lines.
function end_row(n, i, calls)
{
	if (errno == "")
		return
	gsub(/``/, "", when)
	n = split(from, calls, / *, */)
	if (from ~ /^every ioctl but /) {
		write_every_ioctl_but(substr(from, 17))
	} else {
		for (i = 1; i <= n; i++) {
			if (calls[i] == "every ioctl")
				write_every_ioctl_but("")
			else
				write(calls[i])
		}
	}
	errno = ""
}

FNR == NR {
	if (/^\tVSOCKDEV_NR_/) {
		sub(/^\tVSOCKDEV_NR_/, "")
		sub(/[, ].*/, "")
		ioctl[++ioctls] = $0
	}
	next
}
/^=+ =+ =+ =+$/ {
	rulers++
	measure($0)
	next
}
rulers == 2 {
	if (trim(column(1)) != "") {
		end_row()
		errno = trim(column(1))
		test = trim(column(3))
		from = when = ""
	}
	from = trim(from " " trim(column(2)))
	when = trim(when " " trim(column(4)))
}

END {
	end_row()
	if (rulers != 3 || !ioctls) {
		print "errors-table.awk: no table" >"/dev/stderr"
		exit 1
	}
}
