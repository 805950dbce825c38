"""Published files that are known by name, with their checksums."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """Where a file is published."""

    url: str
    sha256: str | None = None  # None: not known, so it is recorded at the first download
    member: str | None = None  # what is meant of the archive that it is


def _glove(corpus: str, sizes: str, archive: str, sha256: str) -> dict[str, Published]:
    url = f"https://nlp.stanford.edu/data/{archive}.zip"
    return {f"glove:{corpus}.{n}d": Published(url, sha256, f"glove.{corpus}.{n}d.txt") for n in sizes.split()}


_TREC = "https://cogcomp.seas.upenn.edu/Data/QA/QC"
KNOWN = {
    "babi": Published(
        "http://www.thespermwhale.com/jaseweston/babi/tasks_1-20_v1-2.tar.gz",
        "0364ebde659f14d11bc21744516c5ec49d3d06cb692733f66680771244998898",
    ),
    "sst": Published(
        "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip",
        "5c613a4f673fc74097d523a2c83f38e0cc462984d847b82c7aaf36b01cbbbfcc",
    ),
    "ewt": Published("https://github.com/UniversalDependencies/UD_English-EWT/archive/refs/tags/r2.16.tar.gz"),
    "imdb": Published(
        "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
    ),
    "trec:train": Published(
        f"{_TREC}/train_5500.label", "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3"
    ),
    "trec:test": Published(
        f"{_TREC}/TREC_10.label", "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e"
    ),
    **_glove("6B", "50 100 200 300", "glove.6B", "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb"),
    **_glove("42B", "300", "glove.42B.300d", "03d5d7fa28e58762ace4b85fb71fe86a345ef0b5ff39f5390c14869da0fc1970"),
    **_glove("840B", "300", "glove.840B.300d", "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f"),
    **_glove(
        "twitter.27B",
        "25 50 100 200",
        "glove.twitter.27B",
        "792af52f795d1a32c9842a3240f5f3fe5e941a8ff6df5eb0f9d668092ebc019c",
    ),
}
VECTORS = tuple(name for name in KNOWN if name.startswith("glove:"))
