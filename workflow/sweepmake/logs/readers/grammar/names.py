"""Labels: the text in front of a number, and what it makes of the number.

    ` | loss  ` -> the value of "loss"          `Train Epoch: ` -> an epoch, of the training
    ` saved from ` -> nothing: prose            ` Complete: Avg. Loss: ` -> the value of "Avg. Loss"

A name is cut from what stands before it at a comma, a bar, a tab, two blanks, a bracket or a colon.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from sweepmake.logs.readers.grammar.phases import PHASE_WORD, phase_of

__all__ = ["Label", "is_known", "is_result", "parse_label"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# words that say where training is: what they count
_PLACES = {
    "epoch": "epoch", "round": "epoch",
    "step": "step", "steps": "step", "global_step": "step", "globalstep": "step",
    "iteration": "iter", "iter": "iter", "it": "iter", "iters": "iter",
    "batch": "batch", "minibatch": "batch", "mini-batch": "batch",
    "update": "update", "updates": "update", "tick": "tick",
    "episode": "episode", "ep": "epoch",
}  # fmt: skip
# words that say who speaks or what was saved: no place, never a metric
_ASIDES = _words(
    "rank local_rank global_rank gpu node worker device host pid checkpoint version v_num seed "
    "fold date clock"
)
_BEFORE_PLACE = _words(
    "end of completed global current the finished done avg average results summary at saving "
    "dict for mini start total"
)
_LONGEST = 160
_WORD = r"[A-Za-z_(][\w./@()%'&*+^-]*"
_NAME = re.compile(rf"(?!\(){_WORD}(?: (?:{_WORD}|\d+|&|-)){{0,4}}", re.ASCII)
_PROSE = re.compile(
    r"\b(?:from|to|as|at|in|of|is|was|by|after|for|than|with|on|and|or|the|a|an|be|are|not|no|it|took"
    r"|have|has|had|over|per|every|last|first|only|within|between|using|used)\b",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"[,;|\t{}<>\[\]\"]|\s{2,}|\s--?\s|:\s+"
    r"|(?<!Avg)(?<!avg)(?<!Ave)(?<!ave)(?<!Acc)(?<!acc)(?<!Val)(?<!val)(?<!Max)(?<!Min)(?<!no)\.\s"
    r"|\s[^\s=]{1,60}=\S{0,60}\s"
)
_UNIT_WORD = re.compile(
    r"^\s?(?:[\w-]{0,20}/(?:s|sec|second|min|step|it|iter|batch|epoch|gpu)|secs?|seconds?|ms|images"
    r"|tok|it|batches|samples|GPU|GB|MB|MiB|GiB)\b",
    re.ASCII,
)
_JOINT = re.compile(r"\s*(?:[:=]+>?|->)\s*$")
_LEAD_PHASE = re.compile(rf"\W*({PHASE_WORD})\b(?![-_./@])", re.ASCII | re.IGNORECASE)
_BRACKETED = re.compile(r"\(\s*(\w+)\s*\)$", re.ASCII)
_TOKENS = re.compile(r"[A-Za-z]+|[0-9]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_RESULT_WORDS = _words(
    "loss losses acc accuracy accuracies err error errors auc auroc auprc ap map mrr ndcg bleu "
    "meteor cider rouge rougel wer cer per ppl perplexity iou miou giou dice dsc precision "
    "recall score mse rmse mae mape psnr ssim lpips fid inception reward rewards return returns "
    "elbo kl nll bpc bpb bpd logp logloss likelihood sensitivity specificity kappa mcc pearson "
    "spearman em cost f l logl rmsle mlogloss fwt bwt corr correlation r hits hit success "
    "objective entropy xent"
)
_BEHIND_RESULT = _words(
    "avg mean std sum total top rate percent micro macro weighted k full train training val "
    "valid validation eval test dev cls box bbox"
)
_SETTINGS = _words(
    "min max weight weights coef coeff coefficient scale scaling threshold thresh target early "
    "stop stopping patience smoothing type fn function lambda alpha beta gamma delta penalty "
    "clip margin num number n count batch size files file code id use factor ratio improved "
    "tolerance tol seed steps interval freq frequency every monitor"
)
_KNOWN = re.compile(
    r"(?:current |base_|initial )?(?:lr|learning[ _-]?rate)\d*|grad(?:ient)?[ _-]?norm"
    r"|[\w ]*perplexity|(?:\w+[_ /])?(?:time|runtime|duration|elapsed)"
    r"|(?:\w+[_ ])?(?:samples|steps|tokens)_per_second|throughput|speed|ips|total_flos",
    re.ASCII | re.IGNORECASE,
)


class Label(NamedTuple):
    """What a text in front of a number says.

    Args:
        role: a place ("epoch", "step", "iter", "batch", "update", "tick", "episode"), "aside" (who
            speaks), "value", or "" where no name stands there.
        name: of a value, as printed.
        phase: the phase that it opens, for this number and those behind it.
        word: the phase as printed that the name begins with ("train Loss" -> "train").
        prose: whether text stands there that is neither a name nor a heading.
        joint: whether a colon or an equals sign joins name and number.
    """

    role: str
    name: str = ""
    phase: str | None = None
    word: str = ""
    prose: bool = False
    joint: bool = False


@lru_cache(maxsize=8192)
def is_result(name: str) -> bool:
    """Return whether a name by itself is that of a result: `val_loss`, `mAP`, `Acc@1`, `f1-score`.

    The word for it stands last but for `@1`, `avg` and their like; words of settings forbid it:
    `loss_weight`, `min_score`.
    """
    words = [word.lower() for word in _TOKENS.findall(_CAMEL.sub(" ", name))]
    if not words or not _SETTINGS.isdisjoint(words):
        return False
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _BEHIND_RESULT):
        words.pop()
    if words[-1] in ("f", "r", "l") and not re.search(r"[fFrRlL]-?[12]", name):
        return False
    return words[-1] in _RESULT_WORDS and (words[-1] != "per" or len(words) == 1)


@lru_cache(maxsize=4096)
def is_known(name: str) -> bool:
    """Return whether a name is one that only training prints: lr, grad_norm, train_runtime."""
    return _KNOWN.fullmatch(name) is not None


def parse_label(text: str, *, begins: bool, glued: bool) -> Label:
    """Return what a label says.

    Args:
        text: what stands between the number before and this one.
        begins: whether it begins the line.
        glued: whether the number is a bracket, which may touch its word (`Epoch[1]`).
    """
    odd = len(text) > _LONGEST
    text = text[-_LONGEST:]
    joint = _JOINT.search(text)
    body = (text[: joint.start()] if joint else text).rstrip(" #")
    if not joint and not glued and body == text and body[-1:].isalnum():
        return Label("", prose=True)
    if not begins:
        body = _UNIT_WORD.sub("", body, count=1) or body
    lead, name = _split(body)
    name, inner = _without_brackets(name)
    phase, prose = _lead(lead)
    prose = prose or odd
    role, opened = _place(name, tight=bool(joint) and joint[0] == "=" if joint else False)
    if role:
        return Label(role, "", opened or inner or phase, "", prose, joint is not None)
    if inner:
        name = f"{name}({inner})" if name else name
    tight = joint is not None and joint[0] == "="
    name = _valid(name, joint=joint is not None, tight=tight)
    if not name:
        return Label(
            "", "", phase, "", prose or bool(body.strip(" ()[]-*.:,;|\t")), joint is not None
        )
    if name.lower() in _ASIDES or name.rpartition(" ")[2].lower() in _PLACES:
        return Label("aside", "", phase, "", prose, joint is not None)
    word, blank, _ = name.partition(" ")
    return Label(
        "value", name, phase, word if blank and phase_of(word) else "", prose, joint is not None
    )


def _split(body: str) -> tuple[str, str]:
    """Return (what stands before the name, the name)."""
    end = 0
    for match in _CUT.finditer(body):
        end = match.end()
    name = body[end:].strip()
    opened = name.rfind("(")
    if name.count("(") > name.count(")") and opened >= 0:
        end, name = len(body), name[opened + 1 :].strip()
        return body[:end].rpartition("(")[0], name
    if name.count(")") > name.count("("):
        before, _, name = name.rpartition(")")
        return body[:end] + before, name.strip()
    return body[:end], name.strip(" *.")


def _without_brackets(name: str) -> tuple[str, str | None]:
    """Return `Epoch(val)` as ("Epoch", "val")."""
    found = _BRACKETED.search(name)
    phase = phase_of(found[1]) if found else None
    return (name[: found.start()].rstrip(), phase) if found and phase else (name, None)


def _lead(lead: str) -> tuple[str | None, bool]:
    """Return (the phase that the text before a name opens, whether it is prose)."""
    phase, prose = None, False
    for part in _CUT.split(lead):
        words = part.strip(" -*()=>.:#").split()
        if not words:
            continue
        found = _LEAD_PHASE.match(part)
        if found and len(words) <= 4:
            phase = phase_of(found[1])
        elif len(words) > 2 or (len(words) == 2 and not lead.rstrip().endswith(":")):
            prose = True
    return phase, prose


def _place(name: str, *, tight: bool) -> tuple[str, str | None]:
    """Return (the place that a name counts, its phase), ("", None) where it counts none."""
    words = name.split()
    if not words:
        return "", None
    role = _PLACES.get(words[-1].lower())
    if role is None or (role in ("epoch", "iter") and words[-1] in ("EP", "It", "IT")):
        return "", None
    phase = None
    for word in words[:-1]:
        lower = word.lower().strip(":.,")
        if lower == "dict":
            phase = "eval"
        elif phase_of(lower):
            phase = phase_of(lower)
        elif lower not in _BEFORE_PLACE and not tight:
            return "", None
    return role, phase


def _valid(name: str, *, joint: bool, tight: bool) -> str:
    """Return a name that may be a metric's, "" for prose."""
    if _NAME.fullmatch(name) and (joint or _short(name)):
        return name
    last = name.rpartition(" ")[2]
    return last if tight and _NAME.fullmatch(last) else ""


def _short(name: str) -> bool:
    return name.count(" ") <= 1 and not _PROSE.search(name)
