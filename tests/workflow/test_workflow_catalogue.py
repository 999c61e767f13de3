"""The repository is what the Snakemake Workflow Catalog lists under "standardized usage".

What it asks for is in its documentation, "Adding workflows" (2026), and in its generate-catalog.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml
from projects import REPOSITORY

from sweepmake.params.config import Config


def test_its_settings_are_understood() -> None:
    """The keys that the catalogue's pages are made from, each yes or no; flags as one text."""
    text = (REPOSITORY / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8")
    usage = yaml.safe_load(text)["usage"]
    deployment = usage["software-stack-deployment"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment"}
    assert set(deployment) == {"conda", "apptainer", "apptainer+conda", "report"}
    assert all(isinstance(value, bool) for value in deployment.values())
    assert usage["mandatory-flags"]["flags"] == ""
    assert "pip install" in usage["mandatory-flags"]["desc"]


def test_the_files_are_where_it_looks() -> None:
    """workflow/Snakefile, config/README.md, and a README that its search finds."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    assert (REPOSITORY / "workflow" / "Snakefile").is_file()
    assert (REPOSITORY / "config" / "README.md").is_file()


def test_its_table_of_parameters_has_every_key() -> None:
    """It reads the schema of config.yaml under this name, as YAML and then as JSON."""
    text = (REPOSITORY / "workflow" / "schemas" / "config.schema.yaml").read_text(encoding="utf-8")
    schema = json.loads(json.dumps(yaml.safe_load(text)))
    assert list(schema["properties"]) == list(Config.__dataclass_fields__)
    assert all(rule["description"] for rule in schema["properties"].values())


def test_it_can_draw_the_rules_of_the_test_sweep() -> None:
    """Its command for the map of the rules prints a graph and nothing else, and runs nothing."""
    command = ["-s", "workflow/Snakefile", "-c", "1", "-d", ".test", "--forceall", "--rulegraph"]
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    drawn = subprocess.run(
        [snakemake, *command], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert drawn.startswith("digraph snakemake_dag {")
    assert drawn.rstrip().endswith("}")
    for rule in ("train", "avg", "test", "read_logs", "plot_ranks", "build_workbook", "all"):
        assert f'label = "{rule}"' in drawn
