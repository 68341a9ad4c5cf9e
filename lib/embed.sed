# A stylesheet or script as a string of C. Indentation and comments that have lines of their own
# are left out.
/^[[:blank:]]*\/\*.*\*\/[[:blank:]]*$/d
/^[[:blank:]]*\/\*/,/\*\//d
/^[[:blank:]]*$/d
s/^[[:blank:]]*//
s/[\\"]/\\&/g
s/.*/"&\\n"/
