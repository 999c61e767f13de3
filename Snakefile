"""The workflow, for those who work in this folder or name it with -s: workflow/Snakefile."""


# here, because a module would read --config together with a config file only, and say so
include: "rules/configuration.smk"


# a module, because an included workflow loses its default target
module the_workflow:
    snakefile:
        "workflow/Snakefile"
    config:
        config


use rule * from the_workflow
