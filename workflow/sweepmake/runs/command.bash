# What the shell of a run's command reads before it (BASH_ENV, see child.py): it writes down how it
# ends, and after a signal it waits for the program that it has started, then ends. Nothing of this
# file is on the command's own lines, so that bash's messages name them as ever.
printf -v _sweepmake %q "$SWEEPMAKE_EXIT"
# written in place, so that a disk that has become full meanwhile has room for it
trap "{ _sweepmake=\$?; set +x; } 2>/dev/null; echo \$_sweepmake 1<>$_sweepmake" EXIT
trap 'exit $(($? ? $? : 129))' HUP
trap 'exit $(($? ? $? : 130))' INT
trap 'exit $(($? ? $? : 143))' TERM
unset _sweepmake SWEEPMAKE_EXIT BASH_ENV
if [[ -v SWEEPMAKE_BASH_ENV ]]; then
  # the user's own, which bash would have expanded in the same way
  export BASH_ENV=$SWEEPMAKE_BASH_ENV
  unset SWEEPMAKE_BASH_ENV
  eval "_sweepmake=\"$BASH_ENV\""
  if [[ -r $_sweepmake ]]; then source "$_sweepmake"; fi
  unset _sweepmake
fi
