"""A corpus to train word vectors on: the training split of a data set, and texts, as one file of sentences.

A line has up to a thousand words, separated by blanks. What says the form of a word (`--affixes`) is left out: it would
stand between words in place of their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dmn_cli.data.text.blocks import BLOCK, Block, blocks, worked
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.tokenizer import Tokenizer

_LINE = 1000  # words


def write(
    path: Path,
    sentences: Iterable[list[str]],
    texts: list[Path],
    tokenizer: Tokenizer,
    progress: Callable[[int], None] = lambda n: None,
    *,
    block: int = BLOCK,
) -> int:
    """Writes a corpus of sentences, which are split into words already, and of texts. Returns how many words it has.

    `block`: how many bytes of the texts are split into words at a time.

    Raises: UsageError where a text isn't there; DataError, with file:line, where it isn't UTF-8.
    """
    words = 0
    with path.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
        for sentence in sentences:
            for line in _lines(sentence):
                file.write(" ".join(line) + "\n")
                words += len(line)
        for lines, count in worked(blocks(texts, progress, block), tokenizer, _words):
            file.write(lines)
            words += count
    return words


def _lines(words: Iterable[str]) -> Iterator[list[str]]:
    words = list(words)
    for start in range(0, len(words), _LINE):
        yield words[start : start + _LINE]


def _words(block: Block, tokenizer: Tokenizer) -> tuple[str, int]:
    texts = ([word for word in tokenizer(text) if not is_affix(word)] for text in block)
    lines = [line for words in texts for line in _lines(words)]
    return "".join(" ".join(line) + "\n" for line in lines), sum(map(len, lines))
