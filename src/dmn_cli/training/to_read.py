"""Which texts a run reads before it is trained: reading.json, and text/ for those that weren't prepared before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from dmn_cli.data.sources import archives
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.text import blocks
from dmn_cli.data.text.batches import TextBatches
from dmn_cli.data.text.prepare import prepare
from dmn_cli.data.text.store import Text, frequent, is_prepared
from dmn_cli.data.words.spec import from_spec
from dmn_cli.errors import ModelError, UsageError
from dmn_cli.files import load_versioned_json, write_json
from dmn_cli.settings.schema import Settings
from dmn_cli.training.learner import Learner
from dmn_cli.training.reading import Reading
from dmn_cli.training.start import Start, joint_from
from dmn_cli.training.suits import has_trees

RECORD, OWN = "reading.json", "text"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class ToRead:
    """Texts as they were given, files or what dmn prepare text made of them, and how many of their words a model
    takes in beside those of the data."""

    paths: list[str]
    extra_words: int

    @classmethod
    def of(cls, paths: Sequence[Path], extra_words: int, data: Sequence[DataSet], settings: Settings) -> ToRead:
        """Refuses what can't work before any work is done. Raises: UsageError, DataError"""
        if any(one.picture_form for one in data):
            raise UsageError("--read is for a network that reads text, and the data are pictures")
        if any(has_trees(one.summary) for one in data):
            raise UsageError(
                "--read is for texts, and the data have trees",
                hint="Prepare them without --trees, and train --preset text.",
            )
        if getattr(settings.model, "sentence", None) != "gru":
            raise UsageError(
                "--read is for a network that reads sentences word by word",
                hint="Add --set model.sentence=gru." if hasattr(settings.model, "sentence") else "Train --preset text.",
            )
        spec = data[0].summary["tokenizer"]
        for path in paths:
            archives.check_there(path)
            if is_prepared(path):
                _same_words(Text(path), spec, data[0].path)
        return cls([str(path.absolute()) for path in paths], extra_words)

    @classmethod
    def load(cls, run: Path) -> ToRead | None:
        """That of a run; None where it reads nothing. Raises: ModelError where reading.json is damaged."""
        path = run / RECORD
        if not path.exists():
            return None
        record = load_versioned_json(path, FORMAT_VERSION, ModelError)
        try:
            return cls(list(record["paths"]), int(record["extra_words"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelError("is damaged", where=path, hint="Train again with --force.") from error

    def save(self, run: Path) -> None:
        write_json(run / RECORD, {"format_version": FORMAT_VERSION, **asdict(self)})

    def texts(self, run: Path, data: DataSet, progress: Callable[[int], None] = lambda n: None) -> list[Text]:
        """Opened; those that weren't prepared are split into words first, as the data were. progress: takes bytes,
        `unprepared` in all

        Raises: UsageError, DataError
        """
        prepared = [Path(path) for path in self.paths if is_prepared(Path(path))]
        spec = data.summary["tokenizer"]
        texts = [_same_words(Text(path), spec, data.path) for path in prepared]
        if plain := self._plain():
            own = run / OWN
            done = is_prepared(own)
            texts.append(Text(own) if done else prepare(own, plain, from_spec(spec, data.tokenizer_files()), progress))
        return texts

    def unprepared(self, run: Path) -> int:
        """The bytes of the texts that are still to be split into words."""
        return 0 if is_prepared(run / OWN) else blocks.size(self._plain())

    def _plain(self) -> list[Path]:
        return [path for path in map(Path, self.paths) if not is_prepared(path)]

    def reading(
        self,
        texts: Sequence[Text],
        run: Path,
        data: Sequence[DataSet],
        settings: Settings,
        device: torch.device,
        start: Start | None,
    ) -> Reading:
        """What reads them with a new network, which may begin from other weights itself."""
        known = joint_from(start, data, settings).vocabulary.words
        joint = joint_from(start, data, settings, frequent(texts, known, self.extra_words))
        learner = Learner(joint, settings, device, processes=1, start=start)
        save_every = 60 * settings.training.save_minutes
        return Reading(learner, TextBatches(texts, joint.vocabulary), run, settings, save_every=save_every)


def _same_words(text: Text, spec: object, data: Path) -> Text:
    """Raises: UsageError where it was split into words in another way than the data."""
    if text.tokenizer_spec != spec:
        raise UsageError(
            f"was split into words by another tokenizer than {data}: {text.tokenizer_spec}, not {spec}",
            where=text.path,
            hint="Prepare both with the same --tokenizer, --language, --case and --affixes, or --read the text itself.",
        )
    return text
