"""The workflow, for those who work in this folder or name it with -s: workflow/Snakefile."""


# a module, because an included workflow loses its default target
module the_workflow:
    snakefile:
        "workflow/Snakefile"


use rule * from the_workflow
