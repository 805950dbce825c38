"""The n-grams of sentences as rows of a table: single words have a row each, of longer ones several share a bucket
(Weinberger et al. 2009, arXiv 0902.2206). Their hash is the key of `records/ngrams.py`."""

from __future__ import annotations

import torch
from torch import Tensor

from dmn_cli.records.ngrams import P


def ngram_rows(sentences: Tensor, *, words: int, longest: int, buckets: int) -> Tensor:
    """sentences: (sentences, words) ids, padded by 0; words: ids that there are; longest: words of an n-gram at most →
    (sentences, n-grams) rows of a table of words + buckets, 0 where there is none"""
    rows, key = [sentences], sentences
    for n in range(1, min(longest, sentences.shape[1])):
        last = sentences[:, n:]
        key = key[:, :-1] * P + last
        bucket = torch.remainder((key >> 32) ^ key, buckets)
        rows.append(torch.where(last > 0, words + bucket, 0))
    return torch.cat(rows, dim=1)
