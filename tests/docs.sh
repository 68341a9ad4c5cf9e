#!/bin/sh
# The documentation against the tables of the programs: settings, options, commands, reasons.
# Speaks TAP.
set -u
. "${top_srcdir:-.}/tests/system/tap.sh"

source=${top_srcdir:-.}
build=${top_builddir:-.}
daemon=$build/policyd/greylagd
ctl=$build/policyd/greylagctl
classifier=$build/classifier/greylag
man5=$source/lib/greylag.conf.5

for program in "$daemon" "$ctl" "$classifier"; do
	[ -x "$program" ] || bail_out "there is no $program"
done

# none FILE DESCRIPTION: nothing was found to be wrong.
none() {
	if [ -s "$1" ]; then
		fail "$2"
		sed 's/^/# /' "$1"
	else
		pass "$2"
	fi
}

# -- settings --
# Lines "section.key TAB default TAB allowed", of the sample file and of the manual.
"$daemon" --sample-config >"$dir/sample" || bail_out 'there is no sample configuration'
awk '
	/^\[/ { section = substr($0, 2, length($0) - 2) }
	/^# Allowed: / { allowed = substr($0, 12); next }
	/^# / { if (allowed != "") allowed = allowed " " substr($0, 3) }
	/^#[a-z0-9_]+ =/ {
		key = substr($0, 2); sub(/ =.*/, "", key)
		value = $0; sub(/^[^=]*= ?/, "", value)
		sub(/^lmdb:.*\/lib\/greylag$/, "lmdb:/var/lib/greylag", value)
		sub(/\.$/, "", allowed)
		print section "." key "\t" value "\t" allowed
		allowed = ""
	}' "$dir/sample" >"$dir/rows"
awk '
	/^\.Ss \[/ { section = substr($2, 2, length($2) - 2) }
	/^\.S[hs] [^[]/ { section = "" }
	section != "" && /^\.It Ic / { name = section "." $3; next }
	name != "" && /^Default/ {
		value = $0
		allowed = ""
		if (sub(/^Default: none\.$/, "", value)) {
		} else {
			sub(/^Default /, "", value)
			if (match(value, /(; one of |, from ).*/)) {
				allowed = substr(value, RSTART + 2)
				value = substr(value, 1, RSTART - 1)
				sub(/\.$/, "", allowed)
			} else
				sub(/\.$/, "", value)
		}
		print name "\t" value "\t" allowed
		name = ""
	}' "$man5" >"$dir/manual"
ok 'there are settings' test "$(wc -l <"$dir/rows")" -gt 25
# Of the allowed values the manual tells the range or the words.
sed 's/\t[^\t]*, from /\tfrom /; s/\ta whole number from /\tfrom /; s/\ton or off$/\t/
	s/\ta number from /\tfrom /' "$dir/rows" |
	sort >"$dir/rows.sorted"
sort "$dir/manual" >"$dir/manual.sorted"
diff "$dir/rows.sorted" "$dir/manual.sorted" >"$dir/wrong"
none "$dir/wrong" 'greylag.conf(5) has every setting with its default and range, and no other'
# Lines "section.key TAB sentence" of the settings whose change needs a restart.
restart='A change needs a restart of greylag[a-z-]*( and greylag-milter)?[.]'
awk '
	/^\[/ { section = substr($0, 2, length($0) - 2) }
	/^$/ { help = "" }
	/^# / { help = help " " substr($0, 3) }
	/^#[a-z0-9_]+ =/ {
		key = substr($0, 2); sub(/ =.*/, "", key)
		if (match(help, /'"$restart"'/))
			print section "." key "\t" substr(help, RSTART, RLENGTH)
		help = ""
	}' "$dir/sample" >"$dir/restart.rows"
awk '
	/^\.Ss \[/ { section = substr($2, 2, length($2) - 2) }
	/^\.It Ic / { name = section "." $3 }
	/^'"$restart"'$/ { print name "\t" $0 }' "$man5" >"$dir/restart.manual"
ok 'there are settings that need a restart' test "$(wc -l <"$dir/restart.rows")" -gt 15
diff "$dir/restart.rows" "$dir/restart.manual" >"$dir/wrong"
none "$dir/wrong" 'greylag.conf(5) says of the same settings that a change needs a restart'
cut -f1 "$dir/rows" >"$dir/order.rows"
cut -f1 "$dir/manual" >"$dir/order.manual"
diff "$dir/order.rows" "$dir/order.manual" >"$dir/wrong"
none "$dir/wrong" 'in the order of the sample file'
"$daemon" -c /dev/null --show-config | awk '
	/^\[/ { section = substr($0, 2, length($0) - 2) }
	/=/ { print section "." $1 }' >"$dir/shown"
diff "$dir/order.rows" "$dir/shown" >"$dir/wrong"
none "$dir/wrong" '--show-config has the same'
ok 'the sample file is a configuration' "$daemon" -c "$dir/sample" -o policy.user= \
	-o "store.uri=lmdb:$dir/store" --check-config
cmp -s "$dir/sample" "$build/greylag.conf.sample"
is $? 0 'and is what is installed'

# -- options --
# Short and long options, one a line, of the help text and of a manual.
help_options() {
	"$1" --help | sed -n '/^Application Options/,/^$/p' | grep -oE '(^|[ ,])--?[a-z][a-z-]*' |
		tr -d ' ,' | sort -u
}
manual_options() {
	awk '/^\.It Fl/ { for (i = 3; i <= NF; i++) if ($(i - 1) == "Fl") print "-" $i }' "$1" |
		sort -u
}
# The list of greylagctl.8 ends where its commands begin.
for page in greylagd greylagctl greylag-milter; do
	# Built with libmilter only.
	[ -x "$build/policyd/$page" ] || [ $page != greylag-milter ] || continue
	help_options "$build/policyd/$page" >"$dir/help"
	sed '/^\.Ss/,$d' "$source/policyd/$page.8" >"$dir/page"
	manual_options "$dir/page" | grep -v '^--help$' >"$dir/page.options"
	diff "$dir/help" "$dir/page.options" >"$dir/wrong"
	none "$dir/wrong" "$page(8) and --help have the same options"
done
"$ctl" --help | sed -n '/^Commands/,$s/^  \([a-z]*\) .*/\1/p' | sort -u >"$dir/help"
sed -n 's/^\.It Ic \([a-z]*\).*/\1/p' "$source/policyd/greylagctl.8" | sort -u >"$dir/page.commands"
diff "$dir/help" "$dir/page.commands" >"$dir/wrong"
none "$dir/wrong" 'greylagctl(8) and --help have the same commands'
ok 'there are commands' test "$(wc -l <"$dir/help")" -gt 8
: >"$dir/wrong"
while read -r command; do
	"$ctl" "$command" --help | sed -n '/^Application Options/,/^$/p' |
		grep -oE '(^|[ ,])--[a-z][a-z-]*' | tr -d ' ,' |
		grep -vxE -- '--(config|option|version|help)' >"$dir/options"
	sed -n "/^\.It Ic $command/,/^\.El/p" "$source/policyd/greylagctl.8" >"$dir/page"
	while read -r option; do
		grep -qE -- "(Fl |\| )-${option#--}|\\| -${option#--}" "$dir/page" ||
			grep -qE -- "Fl -[a-z]+ \| -${option#--}" "$dir/page" ||
			echo "$command $option" >>"$dir/wrong"
	done <"$dir/options"
done <"$dir/help"
none "$dir/wrong" 'greylagctl(8) has every option of every command'

# greylag.1 lists the common options before its commands, and the commands with theirs in ".It Ic".
page1=$source/classifier/greylag.1
"$classifier" --help | sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p' | sort -u >"$dir/help"
sed -n 's/^\.It Ic //p' "$page1" | sed 's/Ic \([a-z]*\)/\n\1/' |
	sed 's/[^a-z].*//' | sort -u >"$dir/page.commands"
diff "$dir/help" "$dir/page.commands" >"$dir/wrong"
none "$dir/wrong" 'greylag(1) and --help have the same commands'
ok 'there are commands' test "$(wc -l <"$dir/help")" -gt 8
sed '/^\.Ss/,$d' "$page1" >"$dir/page"
manual_options "$dir/page" | sort -u >"$dir/page.options"
{
	# Every command takes the common ones; the program by itself two more.
	printf '%s\n' --help --version
	"$classifier" status --help | sed -n '/--store/,$p' | grep -oE '(^|[ ,])--?[a-z][a-z-]*' |
		tr -d ' ,' | grep -E '^-'
} | sort -u >"$dir/common"
diff "$dir/common" "$dir/page.options" >"$dir/wrong"
none "$dir/wrong" 'greylag(1) has the common options'
: >"$dir/wrong"
while read -r command; do
	# A short form is one of the long option's line: either will do, and ones not there will not.
	"$classifier" "$command" --help | sed -n '/^Application Options/,$p' |
		sed '/--store/d; /--config/d; /--option/d' |
		sed -n 's/^  \(-[a-z-].*\)/\1/p' | sed 's/  .*//; s/=.*//' >"$dir/options"
	awk -v command="$command" '
		/^\.It Ic / {
			mine = 0
			for (i = 3; i <= NF; i++)
				if ($i == command && $(i - 1) == "Ic")
					mine = 1
		}
		/^\.El/ { mine = 0 }
		mine' "$page1" >"$dir/page"
	grep -oE 'Fl -?[a-z][a-z-]*' "$dir/page" | sed 's/^Fl /-/' | sort -u >"$dir/page.options"
	while IFS=' ,' read -r one other; do
		grep -qxF -e "$one" "$dir/page.options" ||
			{ [ -n "$other" ] && grep -qxF -e "$other" "$dir/page.options"; } ||
			echo "$command $one $other is not in the manual" >>"$dir/wrong"
	done <"$dir/options"
	while read -r option; do
		case $command,$option in
		train,--ham | evaluate,--ham | tune,--ham) continue ;;
		train,--spam | evaluate,--spam | tune,--spam) continue ;;
		esac
		grep -qwF -e "$option" "$dir/options" || echo "$command $option is not in the help" >>"$dir/wrong"
	done <"$dir/page.options"
	# --files-from is told once, where paths are.
	sed -i '/--files-from/d' "$dir/wrong"
done <"$dir/help"
none "$dir/wrong" 'greylag(1) has every option of every command, and no other'
like "$(sed -n '/^A$/,/^\.Ss/p' "$page1")" 'Fl -files-from' 'and tells of --files-from'

# -- reasons --
: >"$dir/wrong"
sed -n 's/^ *\[REASON_[A-Z_]*\] = {"\([a-z-]*\)".*/\1/p' "$source/policyd/decide/reason.c" >"$dir/reasons"
while read -r reason; do
	grep -qE "(\.Pq |, )$reason( |$)" "$source/policyd/greylagd.8" || echo "$reason" >>"$dir/wrong"
done <"$dir/reasons"
ok 'there are reasons' test "$(wc -l <"$dir/reasons")" -gt 20
none "$dir/wrong" 'greylagd(8) has every reason'

# -- README --
readme=$source/README
ok 'README has at most 900 words' test "$(wc -w <"$readme")" -le 900
# Files of the tree that it names: those below its folders, benchmarks by their bare names, and documents.
{
	grep -oE '(^|[ (])(contrib|tests|db|lib|policyd|classifier)/[A-Za-z0-9_./-]*' "$readme" |
		tr -d ' (' | sed 's/[.\/]*$//'
	grep -oE '\b[a-z_]+\.(py|sh)\b' "$readme" | sed 's|^|tests/bench/|'
	grep -owE 'COPYING(\.exception)?|NEWS|CONTRIBUTING' "$readme"
} | sort -u >"$dir/named"
: >"$dir/wrong"
while read -r file; do
	[ -e "$source/$file" ] || echo "$file" >>"$dir/wrong"
done <"$dir/named"
ok 'README names files' test "$(wc -l <"$dir/named")" -gt 8
none "$dir/wrong" 'every file that README names is there'
# Pages of ours, and units.
: >"$dir/wrong"
grep -oE 'greyla[a-z.-]*\([1578]\)' "$readme" | sort -u | tr '()' '. ' | tr -d ' ' | while read -r page; do
	[ -n "$(find "$source/lib" "$source/db" "$source/classifier" "$source/policyd" -name "$page")" ] || echo "$page"
done >>"$dir/wrong"
grep -oE 'greylag[a-z-]*\.service' "$readme" | sort -u | while read -r unit; do
	[ -e "$source/contrib/systemd/$unit" ] || echo "$unit"
done >>"$dir/wrong"
none "$dir/wrong" 'and every page and unit'
# Commands: their programs have them, with the options that follow.
: >"$dir/wrong"
{
	sed -n 's/^    \(| \)*\(greylag[dct]*l* [^|]*\).*/\2/p' "$readme" | sed 's/   .*//'
	tr '\n' ' ' <"$readme" | grep -oE '"greylag(d|ctl)? [^"]*"' | tr -d '"'
} >"$dir/lines"
ok 'README names commands' test "$(wc -l <"$dir/lines")" -gt 8
while read -r program word rest; do
	case $program in
	greylag) binary=$classifier ;;
	greylagctl) binary=$ctl ;;
	greylagd) binary=$daemon ;;
	esac
	case $word in
	--*) "$binary" --help | grep -qE -- "^  (-., )?$word( |=|\$)" || echo "$program $word" ;;
	*)
		"$binary" --help | grep -qE "^  $word  *[A-Z]" || {
			echo "$program $word"
			continue
		}
		"$binary" "$word" --help >"$dir/help"
		for option in $(printf '%s\n' "$rest" | grep -oE -- '(^| )--?[a-z][a-z-]*'); do
			grep -qE -- "(^|[ \[,])$option([ =,]|\$)" "$dir/help" || echo "$program $word $option"
		done
		;;
	esac
done <"$dir/lines" >>"$dir/wrong"
none "$dir/wrong" 'every command that README names is one, with its options'

# -- pages --
if command -v mandoc >/dev/null; then
	for page in $(find "$source/lib" "$source/db" "$source/classifier" "$source/policyd" \
		-name '*.[1578]'); do
		mandoc -T lint -W warning "$page" >"$dir/wrong" 2>/dev/null
		none "$dir/wrong" "${page##*/} is clean mdoc"
	done
elif [ "${GREYLAG_SKIP_IS_FAILURE:-}" = yes ]; then
	fail 'the pages are clean mdoc (needs mandoc)'
else
	pass 'the pages are clean mdoc # SKIP needs mandoc'
fi

tap_done
