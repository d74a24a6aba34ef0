# SPDX-License-Identifier: GPL-2.0-only
#
# Adds up what gcov says of the driver's files, over all objects and guests, and
# prints a table. The lines that were never reached go to a file:
#
#	awk -v unreached=FILE -f coverage.awk

# count:line:text, where a count is "-" for lines without code
/^ *[0-9-]+\*?: *0:Source:/ {
	sub(/^[^:]*: *0:Source:/, "")
	file = ""
	if (match($0, /drivers\/vsockdev\/[^\/]*$/))
		file = substr($0, RSTART)
	next
}
file != "" && match($0, /^ *([0-9]+\*?|#####|=====): *[0-9]+:/) {
	text = substr($0, RLENGTH + 1)
	split($0, field, ":")
	where = file SUBSEP (field[2] + 0)
	source[where] = text
	reached[where] += field[1] + 0
}

function row(name, of, all)
{
	return sprintf("%-32s %5d of %5d lines %6.1f %%", name, of, all,
		all ? 100 * of / all : 0)
}

END {
	sorted = "sort -t: -k1,1 -k2,2n >'" unreached "'"
	for (where in source) {
		split(where, part, SUBSEP)
		lines[part[1]]++
		hits[part[1]] += reached[where] > 0
		total++
		hit += reached[where] > 0
		if (!reached[where])
			print part[1] ":" part[2] ":" source[where] \
				| sorted
	}
	for (file in lines)
		print row(file, hits[file], lines[file]) | "sort"
	close("sort")
	close(sorted)
	print row("all", hit, total)
}
