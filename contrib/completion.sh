#!/bin/sh
# completion.sh bash|zsh|fish PROGRAM: writes the shell's completion of PROGRAM, from what it says
# of itself by --help.
set -eu
shell=$1
program=$2
name=${program##*/}
tab=$(printf '\t')

# options COMMAND: reads a help text. Lines "option COMMAND SHORT LONG ARGUMENT TEXT WORDS", with tabs;
# the words that an argument is one of are known where the text is "this, that or that".
options() {
	sed -n '/^Application Options/,$s/^  \(-.*\)/\1/p' | awk -F '  +' -v command="$1" -v OFS='\t' '
		{
			short = long = argument = "-"
			n = split($1, names, ", ")
			for (i = 1; i <= n; i++) {
				if (match(names[i], /=/)) {
					argument = substr(names[i], RSTART + 1)
					names[i] = substr(names[i], 1, RSTART - 1)
				}
				if (names[i] ~ /^--/)
					long = substr(names[i], 3)
				else
					short = substr(names[i], 2)
			}
			words = ""
			if (argument != "-" && $2 ~ /^[a-z]+(, [a-z]+)* or [a-z]+$/) {
				words = $2
				gsub(/,| or/, "", words)
			}
			print "option", command, short, long, argument, $2, words
		}'
}

# Lines "command NAME - - - TEXT", "word COMMAND WORD" and those of options.
table() {
	"$program" --help >"$help"
	options - <"$help"
	# A usage line may tell of them, too.
	sed -n 's/^usage: //p' "$help" | grep -oE '\[-[a-z] [^]]*\]' | tr -d '[]-' |
		while read -r short argument; do
			printf 'option\t-\t%s\t-\t%s\tsee %s --help\n' "$short" "$argument" "$name"
		done
	sed -n "s/^  \([a-z]\{1,\}\)  *\([A-Z].*\)/command$tab\1$tab-$tab-$tab-$tab\2/p" "$help" >"$help.commands"
	cat "$help.commands"
	while IFS=$tab read -r _ command _; do
		"$program" "$command" --help >"$help"
		options "$command" <"$help"
		# The first argument, where it is one of some words, and options that only the usage has.
		sed -n '2p' "$help" | tr ' ' '\n' | sed -n "/^$command\$/{n;p;q;}" |
			{ grep -Ex '[a-z]+(\|[a-z]+)*' || :; } | tr '|' '\n' | sed "s/^/word$tab$command$tab/;/$tab\$/d"
		sed -n '2p' "$help" | { grep -oE -- '--[a-z-]+' || :; } | sort -u | while read -r option; do
			sed -n '3,$p' "$help" | grep -qE -- "$option( |=|\$)" || printf 'word\t%s\t%s\n' "$command" "$option"
		done
	done <"$help.commands"
}

in_bash() {
	awk -F '\t' -v program="$name" '
		function add(command, word) { words[command] = words[command] " " word }
		function value(option) {
			if (!seen[option]++)
				list = list (list ? "|" : "") option
		}
		{ key = $2 == "-" ? "" : $2 }
		$1 == "command" { add("", $2); order[++n] = $2 }
		$1 == "word" { add($2, $3) }
		$1 == "option" {
			if ($4 != "-") add(key, "--" $4); else add(key, "-" $3)
			if ($5 != "-" && $3 != "-") value("-" $3)
			if ($5 != "-" && $4 != "-") value("--" $4)
			if ($7 != "" && $4 != "-") choices = choices "\t--" $4 ") words=\047" $7 "\047 ;;\n"
		}
		END {
			f = "_" program
			gsub("-", "_", f)
			print f "()\n{"
			print "\tlocal cur=${COMP_WORDS[COMP_CWORD]} command= words= i\n"
			print "\tfor ((i = 1; i < COMP_CWORD; i++)); do"
			print "\t\tcase ${COMP_WORDS[i]} in"
			if (list) print "\t\t" list ") ((i++)) ;;"
			print "\t\t-*) ;;"
			print "\t\t*) command=${COMP_WORDS[i]}; break ;;"
			print "\t\tesac\n\tdone"
			print "\tcase $command in"
			print "\t\047\047) words=\047" substr(words[""], 2) "\047 ;;"
			for (i = 1; i <= n; i++)
				print "\t" order[i] ") words=\047" substr(words[order[i]], 2) "\047 ;;"
			print "\tesac"
			if (choices)
				printf "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in\n%s\tesac\n", choices
			print "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\""
			print "\t\t[ -z \"$command\" ] || [ \"$cur\" != \"${cur#-}\" ] || compgen -f -- \"$cur\")"
			print "}\ncomplete -o filenames -F " f " " program
		}'
}

in_zsh() {
	awk -F '\t' -v program="$name" '
		function quoted(text) { gsub(/\047/, "\047\\\047\047", text); return text }
		function text(t) {
			gsub(/\\/, "\\\\", t)
			gsub(/\[/, "\\[", t)
			gsub(/\]/, "\\]", t)
			gsub(/:/, "\\:", t)
			return quoted(t)
		}
		function files(argument) { return argument ~ /FILE|DIR|PATH|URI/ ? "_files" : " " }
		function option(short, long, argument, help, words,    value) {
			value = argument == "-" ? "" : ":" text(argument) ":" (words ? "(" words ")" : files(argument))
			if (short == "-")
				return "\047--" long (value ? "=" : "") "[" text(help) "]" value "\047"
			if (long == "-")
				return "\047-" short "[" text(help) "]" value "\047"
			return "\047(-" short " --" long ")\047{-" short ",--" long (value ? "=" : "") "}\047[" text(help) "]" value "\047"
		}
		$1 == "command" { order[++n] = $2; help[$2] = $6 }
		$1 == "word" && $3 !~ /^-/ { words[$2] = words[$2] " " $3 }
		$1 == "word" && $3 ~ /^-/ {
			arguments[$2] = arguments[$2] " \\\n\t\t\047*" $3 ":PATH:_files\047"
		}
		$1 == "option" {
			key = $2 == "-" ? "" : $2
			arguments[key] = arguments[key] " \\\n\t\t" option($3, $4, $5, $6, $7)
		}
		END {
			f = "_" program
			print "#compdef " program "\n" f "()\n{"
			print "\tlocal -a commands\n\tlocal state line\n"
			if (!n) {
				print "\t_arguments" arguments[""]
				print "}\n" f " \"$@\""
				exit
			}
			print "\tcommands=("
			for (i = 1; i <= n; i++)
				print "\t\t\047" order[i] ":" text(help[order[i]]) "\047"
			print "\t)"
			print "\t_arguments -C" arguments[""] " \\\n\t\t\047:command:->command\047 \047*::argument:->argument\047"
			print "\tcase $state in"
			print "\tcommand) _describe command commands ;;"
			print "\targument)\n\t\tcase $words[1] in"
			for (i = 1; i <= n; i++) {
				c = order[i]
				print "\t\t" c ") _arguments" arguments[c] (words[c] ? " \\\n\t\t\047:what:(" substr(words[c], 2) ")\047" : "") " \\\n\t\t\047*:file:_files\047 ;;"
			}
			print "\t\tesac ;;\n\tesac\n}\n" f " \"$@\""
		}'
}

in_fish() {
	awk -F '\t' -v program="$name" '
		function quoted(text) { gsub(/[\\\047]/, "\\\\&", text); return "\047" text "\047" }
		function condition(command) {
			if (command != "-")
				return " -n \047__fish_seen_subcommand_from " command "\047"
			return ""
		}
		$1 == "command" {
			print "complete -c " program " -n __fish_use_subcommand -f -a " $2 " -d " quoted($6)
		}
		$1 == "word" {
			print "complete -c " program condition($2) ($3 ~ /^--/ ? " -l " substr($3, 3) " -r" : " -a " $3)
		}
		$1 == "option" {
			print "complete -c " program condition($2) ($3 == "-" ? "" : " -s " $3) ($4 == "-" ? "" : " -l " $4) \
				($5 == "-" ? "" : $5 ~ /FILE|DIR|PATH|URI/ ? " -r" : " -x") \
				($7 == "" ? "" : " -a " quoted($7)) " -d " quoted($6)
		}'
}

help=$(mktemp)
trap 'rm -f "$help" "$help.commands"' EXIT
echo "# Completion of $name, made by contrib/completion.sh from its --help." >"$help.head"
table >"$help.table"
[ "$shell" = zsh ] || cat "$help.head"
"in_$shell" <"$help.table"
rm -f "$help.head" "$help.table"
