"""Gallery prompts to plain descriptions of one object (paper, section 3.5, step 1).

curate("Photo of a red vintage car on a beach, cinematic, 4k wallpaper").prompt == "a red vintage car"

Rules stand in for the paper's classifier; they would rather lose a good prompt than keep a bad one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from training.data.assets.asset import Rejected
from training.data.synthesis import single_object, words

_WEIGHTS = re.compile(r"::-?[\d.]+|:\s?-?\d+(?:\.\d+)?(?=[)\]\s,]|$)")
_FLAGS = re.compile(
    r"--?\b(?:ar|v|s|q|c|h|w|no|seed|stylize|chaos|test|testp|creative|uplight|beta|hd)\b[^,]*"
)
_LINKS = re.compile(r"https?://[^\s,]+|www\.[^\s,]+|<[^>]*>|[#@][\w-]+")
# "8 k" and "3 d", as DiffusionDB's older prompts write them.
_SPACED = re.compile(r"\b(\d{1,4}) (k|d|mm)\b")
_CLAUSES = re.compile(r"[,;|!?\n\"()\[\]{}]+|\.(?:\s|$)|\s[-\u2013\u2014]+\s|\s/\s|:\s| \+ ")
_MEDIUM = re.compile(
    r"^(?P<before>(?:[\w'-]+ ){0,8}?)(?P<medium>[\w'-]+) (?:of|depicting|showing) (?P<rest>.+)$"
)
_KEPT_DETAIL = re.compile(
    r"^(?:with|made (?:of|from|out)|covered (?:in|with)|decorated|adorned|carved|wearing)\b"
)
_POINTLESS_END = re.compile(r"(?:\s(?:and|with|of|in|on|at|a|an|the|by|for|to|from|its|&))+$")


@dataclass(frozen=True, kw_only=True)
class CurationSettings:
    """What a prompt must be to be kept."""

    subject_words: int = 16  # at most, without the article
    prompt_words: int = 40  # at most: subject and details
    details: int = 4  # at most, after the subject
    nsfw: float = 0.2  # at most, where the list scores its prompts
    people: bool = False  # whether named people and characters may stay
    per_subject: int = 4  # prompts with the same subject, over the whole list

    def __post_init__(self) -> None:
        if min(self.subject_words, self.prompt_words, self.per_subject) < 1 or self.details < 0:
            raise ValueError(
                "subject_words, prompt_words and per_subject must be positive, details not negative"
            )


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A description of one object in standard form: an article, the subject, details after commas."""

    key: str  # a hash of `prompt`
    prompt: str
    subject: str  # the first clause
    noun: str  # its head
    dropped: tuple[str, ...]  # style and settings, as they stood


def curate(text: str, settings: CurationSettings | None = None) -> Prompt:
    """Raises Rejected: unsafe, not_english, no_object, cropped, named, scene, several_objects, too_complex.

    The last two are also told where the rules are in doubt.
    """
    limits = settings or CurationSettings()
    clean = plain(text)
    single_object.check_words(clean, people=limits.people)
    kept, dropped = _described(clean)
    if not kept:
        raise Rejected("no_object", "Nothing is left of it without its style.")
    subject, setting = single_object.without_setting(kept[0])
    dropped += [setting] if setting else []
    noun = single_object.require(subject, limits.subject_words)
    subject = with_article(subject, noun)
    details: list[str] = []
    for clause in kept[1:]:
        if len(details) < limits.details and _is_detail(clause):
            details.append(clause)
        else:
            dropped.append(clause)
    while details and len(f"{subject} {' '.join(details)}".split()) > limits.prompt_words:
        dropped.append(details.pop())
    prompt = ", ".join([subject, *details])
    key = hashlib.sha256(prompt.encode()).hexdigest()[:16]
    return Prompt(key=key, prompt=prompt, subject=subject, noun=noun, dropped=tuple(dropped))


def plain(text: str) -> str:
    """Lower case, without weights, flags, links and marks of emphasis."""
    clean = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("_", " ")
    for pattern in (_LINKS, _WEIGHTS, _FLAGS):
        clean = pattern.sub(" ", clean)
    clean = _SPACED.sub(r"\1\2", clean.replace("(", "").replace(")", "") if "((" in clean else clean)
    return " ".join(clean.split())


def _described(clean: str) -> tuple[list[str], list[str]]:
    """Clauses that describe something, and what was dropped. Raises Rejected: cropped."""
    kept, dropped = [], []
    for clause in (part.strip(" '*-.`~") for part in _CLAUSES.split(clean)):
        if not clause:
            continue
        rest = without_medium(clause)
        rest = words.MANNERS.sub("", words.ARTISTS.sub("", rest))
        rest = _without_last_medium(_POINTLESS_END.sub("", _without_praise(rest)).strip(" '*-"))
        if not rest or is_style(rest):
            dropped.append(clause)
        else:
            kept.append(rest)
            dropped += [clause.replace(rest, "").strip()] if rest != clause and rest in clause else []
    return kept, [clause for clause in dropped if clause]


def without_medium(clause: str) -> str:
    """ "a highly detailed oil painting of a chair" is a chair. Raises Rejected: cropped."""
    while match := _MEDIUM.match(clause):
        before = match["before"].split()
        medium = match["medium"]
        if medium not in words.MEDIA and medium not in words.CROPPED:
            break
        if not all(
            word in words.BEFORE_MEDIA or word in words.MEDIA or word in words.GLUE for word in before
        ):
            break
        if words.CROPPED & {*before, medium}:
            raise Rejected("cropped", f"A {medium} shows a part of its subject.")
        if medium in words.FLAT:
            raise Rejected("no_object", f"A {medium} is flat.")
        clause = match["rest"]
    return clause


def _without_last_medium(clause: str) -> str:
    """ "cyberpunk helmet concept art" is a cyberpunk helmet."""
    tokens = clause.split()
    while len(tokens) > 1 and tokens[-1] in words.MEDIA:
        tokens.pop()
    return " ".join(tokens)


def is_style(clause: str) -> bool:
    """Whether it says how the picture looks rather than what it shows."""
    parts = re.findall(r"[\w'./-]+", clause)
    telling = [word for word in parts if word not in words.GLUE]
    return all(
        word in words.STYLE or word.replace("-", "") in words.STYLE or word.isdigit() for word in telling
    )


def _without_praise(clause: str) -> str:
    return " ".join(word for word in clause.split() if word not in words.EMPTY_ADJECTIVES)


def _is_detail(clause: str) -> bool:
    """Parts, materials and colours may stay; other things, places and names of artists may not."""
    if len(clause.split()) > 8 or words.RELATIONS.search(clause) or single_object.names_setting(clause):
        return False
    tokens = clause.split()
    described = bool(_KEPT_DETAIL.match(clause)) or any(
        word in words.MATERIALS or word in words.COLORS for word in tokens
    )
    foreign = tokens[0] in words.SMALL_WORDS or (tokens[0] in words.PREPOSITIONS and tokens[0] != "with")
    return (
        described and (not foreign or bool(_KEPT_DETAIL.match(clause))) and not words.MANY & set(tokens[:1])
    )


def with_article(subject: str, noun: str) -> str:
    """ "red vintage cars" stays; "the red car" and "red car" become "a red car"."""
    tokens = subject.split()
    while tokens and tokens[0] in words.SMALL_WORDS:
        tokens.pop(0)
    bare = " ".join(tokens)
    if noun in words.PAIRS or noun in words.MASS:
        return bare
    silent = re.match(r"(?:[aeio]|u(?!ni|se|ti|kul|rin)|hour|honest|heir)", bare) and not bare.startswith(
        ("one", "eu")
    )
    return f"{'an' if silent else 'a'} {bare}"
