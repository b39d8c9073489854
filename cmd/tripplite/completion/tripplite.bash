# bash completion for tripplite; bash 3.2 will do
_tripplite() {
	local IFS=$'\n'
	# A status other than 0 says that a file may stand here as well.
	COMPREPLY=($("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)) ||
		{ COMPREPLY+=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; }
	COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
}
complete -F _tripplite tripplite
