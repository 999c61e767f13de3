"""Which words tell which kind of failure: in an exception, a last line, a scheduler's message."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
        r"DUE TO TIME LIMIT|PBS: job killed: (?:walltime|cput)|TERM_RUNLIMIT|"
        r"^CPU time limit exceeded")),
    ("out of memory", re.compile(
        r"Detected \d+ oom[-_]kill event|\bOOM[- ]?Killed\b|task[s ][\d,\- \[\]]*: Out Of Memory|"
        r"Out of memory: Kill|invoked oom-killer|Memory cgroup out of memory|TERM_MEMLIMIT|"
        r"PBS: job killed: (?:v?mem|pmem)", re.IGNORECASE)),
    ("node failure", re.compile(
        r"DUE TO NODE FAIL|srun: error: Node failure|(?:ORTE|PRTE) has lost communication|"
        r"lost communication with a remote daemon|daemon has unexpectedly failed")),
    ("killed", re.compile(r"DUE TO (?:PREEMPTION|JOB REQUEUE)|TERM_PREEMPT")),
)  # fmt: skip

_MEMORY: _Signs = (
    ("out of memory", re.compile(
        r"DefaultCPUAllocator|by allocator (?:cpu|mklcpu)|Unable to allocate .* for an array|"
        r"^(?:\w+\.)*(?:Array)?MemoryError\b(?!.*CUDA)|std::bad_alloc(?!.*CUDA)|"
        r"Cannot allocate memory|java\.lang\.OutOfMemoryError|cannot allocate vector of size|"
        r"ArrowMemoryError|malloc of size \d+ failed|running low on memory|WinError 1455|"
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
        r"out_of_memory: CUDA|Triton Error \[CUDA\]: out of memory|cuMemAlloc failed|"
        r"\bTried to allocate [\d.]+ [KMG]iB|Dst tensor is not initialized|"
        r"(?:GPU|device|CUDA).{0,40}\bout of memory|out of memory.{0,40}\b(?:GPU|device|CUDA)|"
        r"Failed to allocate .{0,60}on device|No available memory for the cache|"
        r"(?:RESOURCE_EXHAUSTED|ResourceExhausted|Resource exhausted: )"
        r"(?!.*(?:Received message|quota|rate limit))", re.IGNORECASE)),
    ("out of memory", re.compile(
        r"\bout of memory\b|not enough memory|\bOutOfMemoryError\b|bad_array_new_length",
        re.IGNORECASE)),
)  # fmt: skip

_DIVERGED = (
    "diverged (nan)", re.compile(
        r"\b(?:loss|gradients?|grad_norm|weights?|activations?|training)\b.{0,80}"
        r"(?:\bnans?\b|\binf(?:inite|inity)?\b|non-?finite|not finite|explod|diverg)|"
        r"(?:\bnans?\b|\binfinite\b|non-?finite|not finite).{0,80}"
        r"\b(?:loss|gradients?|weights?)\b|"
        r"Minimum loss scale reached|loss scale already at minimum|Invalid loss, terminating|"
        r"\bnan loss\b|(?:Tensor|Input) had (?:nan|inf)|(?:nan|inf)s? (?:detected|encountered)|"
        r"\b(?:detected|encountered|found) (?:a )?(?:nan|inf)\b|contains either `?inf|"
        r"returned nan values in its|invalid value \((?:nan|inf)\) encountered|"
        r"to satisfy the constraint .*found invalid values", re.IGNORECASE))  # fmt: skip
# apex halves the scale for ever, then divides by it
_NO_SCALE = re.compile(r"reducing loss scale to (?:0\.0|\d\S*e-[23]\d\d)$")

_NCCL = (
    "NCCL", re.compile(
        r"^(?!.*terminated with exception: CUDA error).*?(?:"
        r"\b[NR]CCL: |\b[NR]CCL (?:error|failure|timeout|watchdog|communicator)|"
        r"\b[NR]CCL operations? .*(?:failed|timed)|have NCCL built in|"
        r"ProcessGroupNCCL's watchdog|"
        r"\bnccl[A-Z]\w*Error|ncclInvalid(?:Usage|Argument)|"
        r"ncclComm\w+ failed|DistBackendError|Watchdog caught collective operation timeout|"
        r"\bNCCL WARN\b)", re.IGNORECASE))  # fmt: skip

_CUDA = (
    "CUDA error", re.compile(
        r"\b(?:CUDA|HIP) (?:(?:runtime |driver )?(?:API )?error\b|failure \d|kernel failed)|"
        r"cuda runtime error \(|Triton Error \[CUDA\]|\bCuda(?:API|Support)Error|cuInit failed|"
        r"Check failed: .*(?:_STATUS_SUCCESS|cudaSuccess) \(|Unexpected error from cuda|"
        r"driver on your system is too old|Blas x?GEMM.{0,20}launch failed|"
        r"[Cc]uDNN (?:launch failure|version incompat|failed to initialize)|"
        r"unable to find an engine to execute|GPU sync failed|nvrtc: error|"
        r"failed to create cublas handle|Failed to get convolution algorithm|"
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
        r"is not on the expected device|\b(?:on|at) the same (?:devices?|GPU)\b|"
        r"expected device \S+ but got|to have the same device as|located on different (?:GPU|dev)|"
        r"must be a? ?CUDA tensor|cpu tensor\?\)|device type for generator but found|"
        r"incompatible devices for jitted|"
        r"but .{0,40}(?:is|are) on (?:cuda|cpu)\b", re.IGNORECASE))  # fmt: skip

_SHAPE = (
    "shape mismatch", re.compile(
        r"shapes? cannot be multiplied|\bsize mismatch(?: for|,)|\bshape mismatch\b|"
        r"mat1 dim 1 must match|"
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
        r"\bshapes?\b.{0,120}\b(?:but got|expected|received|mismatch|match|inconsistent|differ)|"
        r"\bexpected\b.{0,120}(?:\bshapes?\b|torch\.Size)|"
        r"^(?!.*\b(?:files?|download\w*|checksum|bytes)\b).*\b(?:sizes?|dimensions?)\b.{0,60}"
        r"\b(?:mismatch|do(?:es)?(?: not|n't) match|must match|inconsistent)|"
        r"but got input of size|\bEinopsError\b|"
        r"has \d+ features,? but|Kernel size can't be greater|Output size is too small|"
        r"view size is not compatible|Expected hidden\S* size|inconsistent input_size|"
        r"requested shape (?:has|requires)|Dimensions of inputs should match|"
        r"must be broadcastable|Shape must be rank|in both shapes must be equal|"
        r"(?:with|have) different shapes|shapes that differ|must equal the rhs|"
        r"size (?:of new array )?must be unchanged|Shape of passed values|Length of values \(|"
        r"Length mismatch: |expected shape=.*found shape=|Expected size for first two dimensions",
        re.IGNORECASE))  # fmt: skip

# what a program says itself
_NO_CUDA = (
    "CUDA error", re.compile(
        r"\b(?:CUDA|cuDNN|cuBLAS|cuFFT|cuSPARSE|cuRAND)\b.{0,40}"
        r"\b(?:not available|unavailable|is required|fail(?:ed|ure)?)|Invalid CUDA",
        re.IGNORECASE))  # fmt: skip

_MODULE = (
    "missing module",
    re.compile(
        r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError|PackageNotFoundError|"
        r"DistributionNotFound)\b|(?:^|: |\()['\"]?No module named |undefined symbol: |"
        r"error while loading shared libraries|symbol lookup error|there is no package called|"
        r"version `[\w.]+' not found \(required|Error: Cannot find module '|"
        r"\bplease (?:pip )?install\b|\bpip install \S|\bis not installed\b|"
        r"Could not load library lib|^(?:\w+\.)*OSError: .*cannot open shared object file"
    ),
)

_PERMISSION = (
    "permission", re.compile(
        r"^(?:\w+\.)*Permission(?:Denied)?Error\b|\[Errno (?:13|30)\]|"
        r"\b[Pp]ermission denied\b|\bAccessDenied\b|Operation not permitted|"
        r"Read-only file system"))  # fmt: skip

_FILE = (
    "file not found", re.compile(
        r"^(?:\w+\.)*(?:FileNotFoundError|FileNotFoundException)\b|"
        r"^(?!(?:\w+\.)*ImportError\b)(?!.*cannot open shared object file).*"
        r"(?:No such file or directory|can't open file |Failed to find any matching files|"
        r"\bFile not found: |"
        r"\b(?:[Ff]ile|[Pp]ath|[Ff]older|[Dd]irectory|[Dd]ataset|[Cc]heckpoint)\b.{0,120}"
        r"\b(?:does(?: not|n't) exist|(?:is )?not found|(?:could|can)not be found)|"
        r"can't find '__main__' module)|^Cannot find primary config"))  # fmt: skip

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
        r"\bBrokenProcessPool\b|\bTerminatedWorkerError\b|SIGTERMException|"
        r"return(?: code =|ed non-zero exit status) "
        r"(?:-9|-15|137|143)\b|failed \(exitcode: -(?:9|15)\)")),
    ("aborted", re.compile(
        r"\bSIG(?:ABRT|BUS|FPE|ILL)\b|return(?: code =|ed non-zero exit status) (?:-[4678]|134)\b|"
        r"killed by signal: Aborted")),
)  # fmt: skip

# the first that matches counts
_EXCEPTION: _Signs = (
    *_MEMORY, _DIVERGED, ("interrupted", re.compile(r"^KeyboardInterrupt\b|got signal: 2\b")),
    _NCCL, _DEVICE, _CUDA, _MODULE, _NO_CUDA, _ASSERTION, _PERMISSION, _FILE, _SHAPE,
    ("usage error", re.compile(
        r"not used by the HfArgumentParser|Could not override '|OverrideParseException|"
        r"UnrecognizedFlagError|IllegalFlagValueError")),
)  # fmt: skip
_LAST_LINE: _Signs = (
    *_MEMORY, _DIVERGED,
    ("interrupted", re.compile(
        r"^KeyboardInterrupt\b|Detected KeyboardInterrupt|^Aborted!$|got signal: 2\b")),
    _NCCL, _CUDA,
    ("missing module", re.compile(
        r"\bpython[\d.]*: No module named |error while loading shared libraries|"
        r"symbol lookup error|there is no package called|version `[\w.]+' not found \(required|"
        r"Error: Cannot find module '|Could not load library lib|"
        r"module\(s\) are unknown|Unable to locate a modulefile")),
    ("permission", re.compile(
        r": [Pp]ermission denied\b|: (?:Read-only file system|Operation not permitted)$")),
    ("assertion", re.compile(r"\bAssertion \S.* failed\.?$|\bAssertion failed: ")),
    ("command not found", re.compile(
        r": command not found(?:$|: )|^\S*sh: (?:\d+: )?.*: not found$|"
        r"failed to run command|executable file not found|^(?:\S*/)?env: .*: No such file")),
    _FILE,
)  # fmt: skip
# in last lines only: an exception may quote them. What a library says before it ends the program
_LIBRARY: _Signs = (
    ("segmentation fault", re.compile(
        r"^Fatal Python error: Segmentation fault|Caught signal 11\b")),
    ("aborted", re.compile(
        r"^terminate called |^OMP: Error|Caught signal (?:6|7|8)\b|^\s*what\(\): |"
        r"^Fatal Python error|"
        r"^(?:malloc|free|double free|corrupted|munmap_chunk|realloc)\b.*[(:]")),
)  # fmt: skip
# what the shell says afterwards
_END: _Signs = (
    ("segmentation fault", re.compile(r"Segmentation fault")),
    ("killed", re.compile(
        r"^Killed$|: +\d+ (?:Killed|Terminated)\b|: tasks? [\d,\-\[\]]+: (?:Killed|Terminated)")),
    ("aborted", re.compile(
        r"^(?:Aborted\b(?!!)|Bus error|Illegal instruction|Floating point exception|"
        r"Trace/breakpoint trap)|: +\d+ (?:Aborted|Bus error|Illegal instruction|Floating point)")),
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

_ERROR = re.compile(r"(?:\S+ +){0,6}?\W*(?:ERROR|Error|error|FATAL|Fatal|fatal)\b\W+(?=.)")
_PATH = re.compile(r"\S*/\S*\.\w{1,5}\b")
_USAGE = re.compile(r"(?:[│|] |\w+: )?usage:(?: |$)|Usage of \S+:$", re.IGNORECASE)
_SYNOPSIS = re.compile(r"usage:(?:$| .*(?:\[|<|--|\.\.\.))", re.IGNORECASE)
_COMPLAINT = re.compile(
    r"(?:[^\s:]+(?: [\w-]+)*: )?error: |"
    r"[│|] (?:No such|Missing|Invalid|Got unexpected|The following)|"
    r"unknown option ",
    re.IGNORECASE,
)
_SURE_USAGE = re.compile(
    r"[^\s:]+(?: [\w-]+)*: error: (?:unrecognized arguments|the following arguments are|argument "
    r"\S|ambiguous option|one of the arguments)|FATAL Flags parsing error|"
    r"ERROR: Could not consume arg|Could not override '|flag provided but not defined|"
    r"error: (?:unexpected argument|the following required arguments|unrecognized subcommand)|"
    r"(?:[^\s:]+: (?:.*: )?)?(?:Error: )?(?:unrecognized|invalid|unknown|"
    r"illegal) option(?:$| --|:| [^\w\s])|[Uu]nknown option:? -"
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
    if kind := _told(_PATH.sub("", line) if "nan" in line.lower() else line, _LAST_LINE):
        return kind
    error = _ERROR.match(line)
    return _told(line[error.end() :], _EXCEPTION) if error else ""


def kind_of_library(line: str) -> str:
    """Return how a line says that a library ended the program, or a child ended; "" for none."""
    return _told(line, _LIBRARY) or _told(line, _CHILD)


def kind_of_end(line: str) -> str:
    """Return the signal of which the shell says that the program died, as a kind; "" for none."""
    return _told(line, _END)


def usage_line(lines: Sequence[str], code: int | None) -> str:
    """Return the line in which a program refuses its arguments, "" where none does.

    Args:
        lines: its last lines. `train.py: error: unrecognized arguments: --lrr` is one by itself,
            other errors are where a line `usage: …` stands before them.
        code: its exit code; 2 (getopt, argparse) and 64 (sysexits.h) make the usage enough.
    """
    shown = False
    for line in lines:
        shown = shown or _USAGE.match(line) is not None
        if _SURE_USAGE.match(line) or (shown and _COMPLAINT.match(line)):
            return line
    synopsis = (line for line in lines if _SYNOPSIS.match(line))
    return next(synopsis, "") if code in (1, 2, 64) else ""
