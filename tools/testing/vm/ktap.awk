# SPDX-License-Identifier: GPL-2.0-only
#
# Turn KTAP into lines "pass|fail|skip NAME", on stdout; what a failing test said
# goes to the file `details`. With indent=4 the cases of KUnit suites count, with
# indent=0 those of a kselftest program. name: what to call the whole; status: the
# exit status of what printed the KTAP, log: where the reader finds all of it; ended: why
# it was ended before it was done, if it was.
#
# Several programs, one after the other, come with a line "# program NAME" before and
# "# status N" after each, and these say name and status then.

function result(verdict, what) {
	print verdict, name ": " what
	if (verdict == "fail") {
		complaints++
		printf "%s: %s failed; all of it: %s\n%s\n", name, what, log_file, said >details
	}
	said = ""
}

function end_of_program() {
	if (!count)
		result("fail", "no test ran, status " status bail)
	else if (count < planned)
		result("fail", "only " count " of " planned " tests ran, status " status bail)
	else if (status && !failed)
		result("fail", "the program failed with status " status)
	planned = count = failed = 0
	bail = ""
}

BEGIN {
	margin = sprintf("%" indent "s", "")
	whole = name
}

{ sub(/\r$/, "") }

$0 ~ "^" margin "1\\.\\.[0-9]+$" {
	split($0, plan, /\.\./)
	planned += plan[2]
	next
}

/^ *# Subtest: / && indent {
	suite = $NF "."
}

$0 ~ "^" margin "(not )?ok [0-9]+ " {
	count++
	test = $0
	sub(/^ *(not )?ok [0-9]+ (- )?/, "", test)
	if (test ~ /^ *# ?SKIP/)
		result("skip", "test " count " " test)
	else if (test ~ /# ?SKIP/)
		result("skip", suite test)
	else if ($1 == "ok")
		result("pass", suite test)
	else {
		failed++
		result("fail", suite test)
	}
	next
}

/^Bail out! / {
	bail = ": " substr($0, 11)
}

/^# program / {
	name = $3
	of_all = status
	next
}

/^# status / {
	status = $3
	end_of_program()
	status = of_all
	name = ""
	next
}

# Enough to understand, not a console.
length(said) < 6000 { said = said "\t" $0 "\n" }

# What comes after the last program is for all of them: the kernel's memory leaks, say.
END {
	if (ended && name != "")
		result("skip", "the rest after " (count + 0) " tests: " ended)
	else if (name != "")
		end_of_program()
	else if (ended) {
		name = whole
		result("skip", "what comes after it: " ended)
	} else if (status && (status != 1 || !complaints)) {
		name = whole
		result("fail", "ended with status " status)
	}
}
