#compdef tripplite
_tripplite() {
	local text files=0 tab=$'\t'
	# A status other than 0 says that a file may stand here as well.
	text=$("$words[1]" __complete "${(@)words[2,CURRENT]}" 2>/dev/null) || files=1
	local -a found=("${(@f)${text//:/\\:}}")
	found=("${(@)found/$tab/:}")
	if [[ -n $text ]]; then _describe tripplite found; fi
	if ((files)); then _files; fi
}
if [[ $funcstack[1] == _tripplite ]]; then
	_tripplite "$@"
else
	compdef _tripplite tripplite
fi
