"""Which small changes of the library does no unit test notice? `python tests/mutation --help`.

`turns` says how a piece of code may be changed, `mutants` finds all such places in a module,
`choice` takes some of them, `relevance` and `watch` know which tests could notice, `trials` runs
those on a copy of the repository, `equivalents` reads the list of changes that change nothing,
`program` is all of it.
"""
