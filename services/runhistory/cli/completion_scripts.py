"""The scripts that teach bash, zsh and fish to complete.

Each hands the line up to the cursor to the program, which answers with a line for each offer: the
word, a tab, and what it is. Bash needs most: it has no meaning for a blank within an offer, and
ends words at `@`, `:` and `=` too, so what stands before such a break is cut off from the offers.
"""

from typing import Final

_BASH: Final = r"""
_runhistory_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" last cut="" offer
    last="${line##*[[:space:]]}"
    [[ $last != "$2" && $last == *"$2" && $last != [\"\']* ]] && cut="${last%"$2"}"
    COMPREPLY=()
    while IFS=$'\t' read -r offer _; do
        [[ $offer ]] || continue
        [[ ${COMP_WORDS[COMP_CWORD]} == [\"\']* ]] || printf -v offer %q "$offer"
        COMPREPLY+=("${offer#"$cut"}")
    done < <(_RUNHISTORY_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="$line" "$1" 2> /dev/null)
}
complete -o bashdefault -o default -F _runhistory_completion runhistory
"""

_ZSH: Final = r"""
#compdef runhistory
_runhistory_completion() {
    local -a words_offered lines_shown
    local offer what
    while IFS=$'\t' read -r offer what; do
        [[ -n $offer ]] || continue
        words_offered+=("$offer")
        lines_shown+=("$offer${what:+  -- $what}")
    done < <(_RUNHISTORY_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" ${(Q)words[1]} 2> /dev/null)
    if (( $#words_offered )); then
        compadd -l -d lines_shown -a words_offered
    else
        _files
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _runhistory_completion runhistory
"""

_FISH: Final = r"""
function _runhistory_offers
    set -lx _RUNHISTORY_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -l program (commandline -opc)[1]
    set -l found ($program 2> /dev/null)
    if test -n "$found"
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command runhistory --no-files --arguments '(_runhistory_offers)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
