"""Which job of a batch system this process is in. The stage runner imports it: no imports here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["batch_job"]

# The variable by which each batch system names its job (manuals of Slurm, PBS/Torque, LSF, Grid
# Engine, Flux, OAR, Cobalt and HTCondor).
_VARIABLES = (
    "SLURM_JOB_ID",
    "PBS_JOBID",
    "LSB_JOBID",
    "SGE_TASK_ID",
    "FLUX_JOB_ID",
    "OAR_JOB_ID",
    "COBALT_JOBID",
    "_CONDOR_JOB_AD",
)


def batch_job(environment: Mapping[str, str]) -> str | None:
    """Return the id of the batch job that this process is in, or None."""
    for name in _VARIABLES:
        if value := environment.get(name):
            return value.replace("/", "_")
    return None
