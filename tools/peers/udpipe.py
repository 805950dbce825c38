"""UDPipe 1's tagger (Straka and Straková 2017) as it comes, on one kind of tags: an hour or more. Deterministic."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from peer import Answer, Predict, Task, grid, run

LEAVE_OUT = ("use_lemma=0", "provide_lemma=0", "use_feats=0", "provide_feats=0", "use_xpostag=0")


def sentence(words: list[str], tags: Answer) -> Any:
    from ufal.udpipe import Sentence  # pyright: ignore[reportMissingImports]

    made = Sentence()
    for form, tag in zip(words, tags, strict=True):
        made.addWord(form).upostag = tag
    return made


def fit(task: Task, *, iterations: int) -> Predict:
    from ufal.udpipe import Model, ProcessingError, Sentences, Trainer  # pyright: ignore[reportMissingImports]

    training, valid = (
        Sentences([sentence(example.words, example.answer) for example in examples])
        for examples in (task.train, task.valid)
    )
    error, none = ProcessingError(), Trainer.NONE
    options = ";".join(("models=1", f"iterations={iterations}", *LEAVE_OUT))
    trained = Trainer.train("morphodita_parsito", training, valid, none, options, none, error)
    if error.occurred():
        raise SystemExit(f"UDPipe: {error.message}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model")
        file.write_bytes(trained)
        model = Model.load(str(file))

    def tagged(words: list[str]) -> list[str]:
        made = sentence(words, [""] * len(words))
        model.tag(made, Model.DEFAULT)
        return [word.upostag for word in made.words][1:]  # the first is the root

    return lambda texts: [tagged(words) for words in texts]


if __name__ == "__main__":
    run(fit, lambda task: grid(iterations=(20,)))
