"""Which words tell which kind of failure: in an exception, a last line, a scheduler's message."""

from __future__ import annotations

import re

__all__ = [
    "HANDLED",
    "NOISE",
    "SHELL",
    "kind_of_end",
    "kind_of_exception",
    "kind_of_last_line",
    "kind_of_library",
    "kind_of_memory",
    "kind_of_scheduler",
    "usage_line",
]

_Signs = tuple[tuple[str, re.Pattern[str]], ...]

# what the batch system, the kernel and the launcher say of what they ended
_SCHEDULER: _Signs = (
    ("timeout", re.compile(
        r"DUE TO TIME LIMIT|PBS: job killed: (?:walltime|cput)|TERM_RUNLIMIT")),
    ("out of memory", re.compile(
        r"Detected \d+ oom[-_]kill event|\bOOM[- ]?Killed\b|task[s ][\d,\- \[\]]*: Out Of Memory|"
        r"Out of memory: Kill|invoked oom-killer|Memory cgroup out of memory|TERM_MEMLIMIT|"
        r"PBS: job killed: (?:v?mem|pmem)", re.IGNORECASE)),
    ("node failure", re.compile(
        r"DUE TO NODE FAIL|srun: error: Node failure|(?:ORTE|PRTE) has lost communication|"
        r"lost communication with a remote daemon")),
    ("killed", re.compile(r"DUE TO (?:PREEMPTION|JOB REQUEUE)|TERM_PREEMPT")),
)  # fmt: skip

_MEMORY: _Signs = (
    ("out of memory", re.compile(
        r"DefaultCPUAllocator|by allocator (?:cpu|mklcpu)|Unable to allocate .* for an array|"
        r"^(?:\w+\.)*(?:Array)?MemoryError\b(?!.*CUDA)|std::bad_alloc(?!.*CUDA)|"
        r"Cannot allocate memory|java\.lang\.OutOfMemoryError|"
        r"(?:insufficient|out of) shared memory|killed by signal: Bus error|"
        r"unable to (?:open|write|mmap|allocate).{0,30}(?:shared memory|</?torch_)|"
        r"/dev/shm/.*No space left|No space left.*/dev/shm/|"
        r"(?<!\w)Out of memory: Kill")),
    ("disk full", re.compile(
        r"No space left on device|Disk quota exceeded|PytorchStreamWriter failed writing|"
        r"inline_container\.cc.*unexpected pos \d+ vs")),
    ("out of GPU memory", re.compile(
        r"(?:CUDA|HIP|XPU|GPU|MPS backend) (?:error: )?out of memory|_ERROR_OUT_OF_MEMORY|"
        r"cuda(?:ErrorMemoryAllocation|Malloc failed)|hipErrorOutOfMemory|"
        r"CU(?:BLAS|DNN|SPARSE|SOLVER)_STATUS_ALLOC_FAILED|cuda runtime error \(2\)|"
        r"(?:torch\.(?:cuda\.)?|cupy\S*\.)OutOfMemoryError|\bOOM when allocating|"
        r"out_of_memory: CUDA|"
        r"(?:RESOURCE_EXHAUSTED|ResourceExhausted|Resource exhausted: )"
        r"(?!.*(?:Received message|quota|rate limit))", re.IGNORECASE)),
)  # fmt: skip

_DIVERGED = (
    "diverged (nan)", re.compile(
        r"\b(?:loss|gradients?|grad_norm|weights?|activations?|training)\b.{0,80}"
        r"(?:\bnans?\b|\binf(?:inite|inity)?\b|non-?finite|not finite|explod|diverg)|"
        r"(?:\bnans?\b|\binfinite\b|non-?finite|not finite).{0,80}"
        r"\b(?:loss|gradients?|weights?)\b|"
        r"Minimum loss scale reached|loss scale already at minimum|Invalid loss, terminating|"
        r"returned nan values in its|invalid value \((?:nan|inf)\) encountered|"
        r"to satisfy the constraint .*found invalid values", re.IGNORECASE))  # fmt: skip
# apex halves the scale for ever, then divides by it
_NO_SCALE = re.compile(r"reducing loss scale to (?:0\.0|\d\S*e-[23]\d\d)$")

_NCCL = (
    "NCCL", re.compile(
        r"^(?!.*terminated with exception: CUDA error).*?(?:"
        r"\b[NR]CCL (?:error|failure|timeout|watchdog|operations? (?:have )?(?:failed|timed))|"
        r"\bnccl(?:System|Remote|Internal|UnhandledCuda)Error|ncclInvalid(?:Usage|Argument)|"
        r"ncclComm\w+ failed|DistBackendError|Watchdog caught collective operation timeout|"
        r"\bNCCL WARN\b)", re.IGNORECASE))  # fmt: skip

_CUDA = (
    "CUDA error", re.compile(
        r"\b(?:CUDA|HIP) (?:error: |failure \d|driver error|kernel failed)|cuda runtime error \(|"
        r"\bCU(?:DNN|BLAS|SPARSE|SOLVER)_STATUS_(?!SUCCESS)|\bCUFFT_[A-Z]+_?[A-Z]*|cuDNN error|"
        r"\bCUDA_ERROR_[A-Z]|\b(?:cuda|hip)Error[A-Z]\w+|CUDA(?:Runtime|Driver)Error|"
        r"No CUDA GPUs are available|no CUDA-capable device|Found no NVIDIA driver|"
        r"not compiled with CUDA enabled|CUDA driver version is insufficient|"
        r"CUDA driver initialization failed|device-side assert triggered|"
        r"an illegal memory access was encountered|no kernel image is available|"
        r"\bAcceleratorError\b|Attempting to deserialize object on a CUDA device|"
        r"uncorrectable ECC error|fallen off the bus|GPU is lost|No supported gpu backend|"
        r"Failed to initialize NVML|DNN library (?:initialization failed|is not found)|"
        r"Unable to initialize backend 'cuda'|\.cuh?:\d+: .*block: \[\d+,"))  # fmt: skip

_DEVICE = (
    "device mismatch", re.compile(
        r"Expected all tensors to be on the same device|found at least two devices|"
        r"Input type \(torch\.cuda\.\w+\) and (?:weight|bias) type \(torch\.(?!cuda)|"
        r"Input type \(torch\.(?!cuda)\w+\) and (?:weight|bias) type \(torch\.cuda\.|"
        r"indices should be either on|is on \w+(?::\d+)?, but expected (?:it|them) to be on|"
        r"Expected object of (?:device type|backend) \w+ but got|"
        r"must have its parameters and buffers on device|tensors? (?:are|is) on different|"
        r"can't convert \w+(?::\d+)? device type tensor to numpy|"
        r"device type for generator but found|incompatible devices for jitted|"
        r"but .{0,40}(?:is|are) on (?:cuda|cpu)\b", re.IGNORECASE))  # fmt: skip

_SHAPE = (
    "shape mismatch", re.compile(
        r"shapes? cannot be multiplied|\bsize mismatch\b|\bshape mismatch\b|mat1 dim 1 must match|"
        r"The size of tensor a \(\d+\) must match|Sizes of tensors must match|"
        r"must match the existing size|to have \d+ channels, but got|is invalid for input of size|"
        r"stack expects each tensor to be equal size|Tensors must have same number of dim|"
        r"Expected (?:input|target) .{0,30}size .{0,60}to match|"
        r"target size .{0,60}(?:input size|same as)|split_sizes to sum|"
        r"incompatible (?:tensor )?shapes?|shapes? .{0,120}\b(?:is|are) incompatible|"
        r"incompatible with the layer|Dimensions must be equal|Matrix size-incompatible|"
        r"c(?:ould|an)not (?:be )?broadcast|could not be broadcast|could not broadcast|"
        r"shapes? .{0,80}not aligned|mismatch in its core dimension|"
        r"contracting dimensions to have the same|ScopeParamShapeError|"
        r"inconsistent numbers? of samples|shapes? .{0,80}(?:mismatch|(?:do|does) ?n.t match|"
        r"(?:do|does) not match)|mismatch(?:ed)? .{0,20}shapes?|cannot reshape array of size|"
        r"must have (?:the )?same (?:shape|size|first dim|number of dim)|"
        r"(?:Expected|expected) \d+-?D(?:imensional)? |expected (?:min_)?ndim=|"
        r"array dimensions .{0,60}must match exactly|inhomogeneous shape|"
        r"expected sequence of length \d+ at dim|input\.size\(-1\) must be equal|"
        r"Cannot feed value of shape|Shapes must be equal rank|subscript \w has size|"
        r"expected shape=.*found shape=|Expected size for first two dimensions",
        re.IGNORECASE))  # fmt: skip

_MODULE = (
    "missing module",
    re.compile(
        r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError|PackageNotFoundError|"
        r"DistributionNotFound)\b|: No module named |error while loading shared libraries|"
        r"there is no package called|^(?:\w+\.)*OSError: .*cannot open shared object file"
    ),
)

_PERMISSION = (
    "permission", re.compile(
        r"^(?:\w+\.)*Permission(?:Denied)?Error\b|\[Errno (?:13|30)\]|: Permission denied\b|"
        r"error message = 'Permission denied'|Read-only file system"))  # fmt: skip

_FILE = (
    "file not found", re.compile(
        r"^(?:\w+\.)*(?:FileNotFoundError|FileNotFoundException)\b|"
        r"^(?!(?:\w+\.)*ImportError\b)(?!.*cannot open shared object file).*"
        r"(?:No such file or directory|can't open file |Failed to find any matching files|"
        r"\bFile not found: )|^Cannot find primary config"))  # fmt: skip

_ASSERTION = (
    "assertion", re.compile(
        r"^(?:\w+\.)*AssertionError\b|\bAssertion \S.* failed\.?$|"
        r"\bAssertion failed: |InvalidArgumentError: +assertion failed"))  # fmt: skip

# how a child of the program ended, as what it raises or prints tells
_CHILD: _Signs = (
    ("segmentation fault", re.compile(
        r"\bSIGSEGV\b|killed by signal: Segmentation fault|return(?: code =|ed non-zero exit "
        r"status) (?:-11|139)\b")),
    ("killed", re.compile(
        r"\bSIGKILL\b|killed by signal: (?:Killed|Terminated)|got signal: (?:1|9|15)\b|"
        r"\bBrokenProcessPool\b|SIGTERMException|return(?: code =|ed non-zero exit status) "
        r"(?:-9|-15|137|143)\b|failed \(exitcode: -(?:9|15)\)")),
    ("aborted", re.compile(
        r"\bSIG(?:ABRT|BUS|FPE|ILL)\b|return(?: code =|ed non-zero exit status) (?:-[4678]|134)\b|"
        r"killed by signal: Aborted")),
)  # fmt: skip

# the first that matches counts
_EXCEPTION: _Signs = (
    *_MEMORY, _DIVERGED, ("interrupted", re.compile(r"^KeyboardInterrupt\b|got signal: 2\b")),
    _NCCL, _DEVICE, _CUDA, _MODULE, _ASSERTION, _PERMISSION, _FILE, _SHAPE,
    ("usage error", re.compile(r"not used by the HfArgumentParser|^Could not override '")),
)  # fmt: skip
_LAST_LINE: _Signs = (
    *_MEMORY, _DIVERGED,
    ("interrupted", re.compile(
        r"^KeyboardInterrupt\b|Detected KeyboardInterrupt|^Aborted!$|got signal: 2\b")),
    _NCCL, _CUDA,
    ("missing module", re.compile(
        r"\bpython[\d.]*: No module named |error while loading shared libraries|"
        r"there is no package called")),
    ("permission", re.compile(r": Permission denied(?:$| \(publickey)|: Read-only file system$")),
    ("assertion", re.compile(r"\bAssertion \S.* failed\.?$|\bAssertion failed: ")),
    ("command not found", re.compile(
        r": command not found(?:$|: )|^(?:\w+: \d+|\S*sh: \d+): .*: not found$|"
        r"failed to run command|^(?:\S*/)?env: .*: No such file")),
    _FILE,
)  # fmt: skip
# in last lines only: an exception may quote them. What a library says before it ends the program
_LIBRARY: _Signs = (
    ("segmentation fault", re.compile(r"^Fatal Python error: Segmentation fault")),
    ("aborted", re.compile(
        r"^terminate called |^\s*what\(\): |^Fatal Python error|"
        r"^(?:malloc|free|double free|corrupted|munmap_chunk|realloc)\b.*[(:]")),
)  # fmt: skip
# what the shell says afterwards
_END: _Signs = (
    ("segmentation fault", re.compile(r"Segmentation fault")),
    ("killed", re.compile(
        r"^Killed$|: +\d+ (?:Killed|Terminated)\b|: tasks? [\d,\-\[\]]+: (?:Killed|Terminated)")),
    ("aborted", re.compile(r"^Aborted\b(?!!)|: +\d+ (?:Aborted|Bus error)")),
)  # fmt: skip

SHELL = re.compile(
    r"(?:Killed|Terminated|Aborted|Bus error|Segmentation fault)(?: \(core dumped\))?"
)
"""What the shell says of a child, and nothing more."""

NOISE = re.compile(
    r"frame #\d+: |\s+@ +0x|\*\*\* Check failure stack|.*\bNCCL INFO\b|Exception raised from |"
    r'(?:Current t|T)hread 0x\w+ .*\(most recent call first\)|  File ".*", line \d+ in |'
    r"  <no Python frame>|Extension modules: |.*[Ww]arning: |.*\bWARN(?:ING)?\b(?!.*\bNCCL WARN)"
)
"""Lines that are no evidence by themselves: native stacks, information, warnings."""

HANDLED = re.compile(
    r"\b(?:retrying|(?:will|to) retry|tr(?:y|ying|ied) again|going on|continuing|"
    r"fall(?:ing|s)? ?back|skipp(?:ed|ing)|ignor(?:ed|ing)|attempt \d+ (?:of|/))\b",
    re.IGNORECASE,
)
"""What a program says of an error that it survives."""

_PATH = re.compile(r"\S*/\S*\.\w{1,5}\b")
_USAGE = re.compile(r"(?:[│|] )?usage: ", re.IGNORECASE)
_COMPLAINT = re.compile(
    r"(?:[^\s:]+(?: [\w-]+)*: )?error: |[│|] (?:No such|Missing|Invalid|Got unexpected)|"
    r"unknown option ",
    re.IGNORECASE,
)
_SURE_USAGE = re.compile(
    r"[^\s:]+(?: [\w-]+)*: error: (?:unrecognized arguments|the following arguments are|argument "
    r"\S|ambiguous option|one of the arguments)|FATAL Flags parsing error|"
    r"ERROR: Could not consume arg|Could not override '|[^\s:]+: (?:unrecognized|invalid|unknown|"
    r"illegal) option(?: --|:| [^\w\s])|[Uu]nknown option:? -"
)


def _told(text: str, signs: _Signs) -> str:
    return next((kind for kind, sign in signs if sign.search(text)), "")


def kind_of_scheduler(line: str) -> str:
    """Return the kind that a line of a batch system or the kernel tells, "" for none."""
    return _told(line, _SCHEDULER)


def kind_of_memory(line: str) -> str:
    """Return which memory a line says has run out (the GPU's, the machine's), "" for none."""
    kind = _told(line, _MEMORY)
    return kind if kind != "disk full" else ""


def kind_of_exception(text: str) -> str:
    """Return the kind that the last line of a traceback tells, "" where it is just an exception."""
    return _told(text, _EXCEPTION) or _told(text, _CHILD)


def kind_of_last_line(line: str) -> str:
    """Return the kind that a program's last words tell, "" for none.

    A loss that is no number tells it, the path of a file that is named after one does not.
    """
    if NOISE.match(line) or HANDLED.search(line):
        return "diverged (nan)" if _NO_SCALE.search(line) else ""
    return _told(_PATH.sub("", line) if "nan" in line.lower() else line, _LAST_LINE)


def kind_of_library(line: str) -> str:
    """Return how a line says that a library ended the program, or a child ended; "" for none."""
    return _told(line, _LIBRARY) or _told(line, _CHILD)


def kind_of_end(line: str) -> str:
    """Return the signal of which the shell says that the program died, as a kind; "" for none."""
    return _told(line, _END)


def usage_line(lines: list[str]) -> str:
    """Return the line in which a program refuses its arguments, "" where none does.

    Args:
        lines: its last lines. `train.py: error: unrecognized arguments: --lrr` is one by itself,
            other errors are where a line `usage: …` stands before them.
    """
    shown = False
    for line in lines:
        shown = shown or _USAGE.match(line) is not None
        if _SURE_USAGE.match(line) or (shown and _COMPLAINT.match(line)):
            return line
    return ""
