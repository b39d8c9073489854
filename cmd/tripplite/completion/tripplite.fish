# fish completion for tripplite
function __tripplite_complete
	set -l words (commandline -opc) (commandline -ct)
	# A status other than 0 says that a file may stand here as well.
	$words[1] __complete $words[2..] 2>/dev/null
	or __fish_complete_path (commandline -ct)
end
complete -c tripplite -f -a '(__tripplite_complete)'
