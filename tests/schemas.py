"""What `--json` prints, as schemas: every key, its type and its range; no other key may be there."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Position = Annotated[int, Field(ge=0)]  # of a fact
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Class(_Document):
    """An answer of a task whose answers are classes."""

    name: Annotated[str, Field(alias="class", min_length=1)]
    count: Count
    answered: Annotated[int, Field(ge=0)]
    precision: Fraction
    recall: Fraction
    f1: Fraction


class Confusion(_Document):
    right: str
    answer: str
    count: Count


class Bin(_Document):
    """The answers whose confidence lies in one fifteenth of 0 to 1."""

    begins: Annotated[float, Field(alias="from", ge=0, lt=1)]
    questions: Count
    confidence: Fraction
    accuracy: Fraction


class Calibrated(_Document):
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    ece: Fraction
    ece_uncalibrated: Fraction
    bins: Annotated[list[Bin], Field(min_length=1, max_length=15)]


class Abstained(_Document):
    below: Annotated[float, Field(gt=0, le=1)]
    answered: Annotated[int, Field(ge=0)]
    coverage: Fraction
    selective_accuracy: Fraction = 0  # absent where nothing is answered


class Unanswered(_Document):
    """Questions that no fact answers."""

    questions: Count
    false_answers: Fraction
    false_unknowns: Fraction = 0  # absent where there are no others


class Task(_Document):
    """Of one task. What is optional is absent, and never null, where there is nothing to say."""

    accuracy: Fraction
    questions: Count
    loss: Loss
    unknown_answers: Count = 1  # that the loss leaves out
    answers: Count = 1  # where each fact is answered
    exact: Fraction = 0
    gate_precision: Fraction = 0  # where supporting facts are known, and the network has gates
    gate_recall: Fraction = 0
    faithfulness: Fraction = 0  # with --why
    right_reason: Fraction = 0  # with --why, where supporting facts are known
    other_reason: Fraction = 0
    no_reason: Fraction = 0
    ece: Fraction
    ece_uncalibrated: Fraction
    coverage: Fraction = 0  # with --abstain-below
    selective_accuracy: Fraction = 0  # and where something is answered
    unanswerable: Count = 1  # questions that no fact answers, where the data set says which these are
    false_answers: Fraction = 0
    false_unknowns: Fraction = 0  # and where it has others
    macro_f1: Fraction = 0  # where there are at most 60 different answers
    classes: Annotated[list[Class], Field(min_length=1, max_length=60)] | None = None
    confusions: list[Confusion] | None = None


Change = Annotated[float, Field(ge=-1, le=1)]


class Accuracies(_Document):
    a: Fraction
    b: Fraction


class _Differs(_Document):
    accuracy: Accuracies
    difference: Change
    low: Change
    high: Change
    p: Fraction
    gained: Annotated[int, Field(ge=0)]
    lost: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def fits(self) -> "_Differs":
        assert self.low - 1e-9 <= self.difference <= self.high + 1e-9
        assert abs(self.accuracy.b - self.accuracy.a - self.difference) < 1e-9
        return self


class TaskCompared(_Differs):
    questions: Count
    p_holm: Fraction


class Against(_Differs):
    """--baseline: A is the baseline, B the model."""

    file: str
    verdict: Literal["pass", "fail", "investigate"]
    max_drop: Annotated[float, Field(gt=0, lt=1)]
    power: Fraction
    questions: Count
    repeated: Annotated[int, Field(ge=0)]
    tasks: Annotated[dict[str, TaskCompared], Field(min_length=1)]


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SeedNumber = Annotated[int, Field(ge=0)]


class Versions(_Document):
    dmn: str
    torch: str
    python: str


class _OfModel(_Document):
    model: str
    model_sha256: Sha256
    seed: SeedNumber | list[SeedNumber] | None  # null of a model of an older dmn
    versions: Versions


class Verified(_OfModel):
    """dmn eval --verify --json"""

    questions: Count
    differing: list[dict[str, Any]]
    largest_difference: Annotated[float, Field(ge=0)]
    tolerance: Annotated[float, Field(gt=0)]


class Evaluated(_OfModel):
    """dmn eval --json"""

    data: str
    data_fingerprints: list[str]
    split: str
    accuracy: Fraction
    mean_error: Fraction
    failed_tasks: list[str]
    calibration: Calibrated
    abstaining: Abstained | None = None  # with --abstain-below
    unanswerable: Unanswered | None = None  # where the data have such questions
    tasks: dict[str, Task]
    questions: Count
    seconds: Seconds
    baseline: Against | None = None  # with --baseline


class ComparedExample(_Document):
    task: str
    story: list[str]
    question: str
    answer: str
    a: str
    b: str


class Compared(_Differs):
    """dmn compare --json"""

    a: str
    b: str
    data: str
    questions: Count
    repeated: Annotated[int, Field(ge=0)]
    tasks: Annotated[dict[str, TaskCompared], Field(min_length=1)]
    only_a: list[ComparedExample]
    only_b: list[ComparedExample]


class Milliseconds(_Document):
    onnxruntime: Seconds
    dmn: Seconds


class ExportedAs(_Document):
    """dmn export --onnx --json"""

    model: str
    out: str
    vocabulary: str
    bytes: Count
    golden: bool
    questions: Count
    largest_difference: Annotated[float, Field(ge=0, le=1e-4)]
    max_facts: Count
    max_words: Count
    milliseconds: Milliseconds


class Best(_Document):
    epoch: Count
    accuracy: Fraction
    loss: Loss


class Trained(_Document):
    """dmn train --json"""

    run: str
    model: str
    epochs: Count
    reason: str
    best: Best
    seconds: Seconds


class BestOfSeed(Best):
    score: Annotated[list[float], Field(min_length=2, max_length=2)]


class OneOfSeeds(BestOfSeed):
    seed: int


class Seed(_Document):
    seed: int
    epochs: Count
    reason: str
    best: BestOfSeed
    seconds: Seconds


class Together(_Document):
    networks: Annotated[int, Field(ge=2)]
    accuracy: Fraction
    loss: Loss


class SeedsTrained(_Document):
    """dmn train --seeds, --restarts, --ensemble --json"""

    run: str
    model: str
    seeds: Annotated[list[Seed], Field(min_length=1)]
    mean: Fraction
    sd: Annotated[float, Field(ge=0)] = 0  # of more than one
    worst: OneOfSeeds
    best: OneOfSeeds
    ensemble: Together | None = None  # absent where the best is kept


class TrialTrained(BestOfSeed):
    trial: Annotated[int, Field(ge=0)]
    epochs: Count


class Gained(_Document):
    mean: Annotated[float, Field(ge=-1, le=1)]
    low: Annotated[float, Field(ge=-1, le=1)]
    high: Annotated[float, Field(ge=-1, le=1)]


class Tuned(_Document):
    """dmn train --tune --json"""

    run: str
    model: str
    config: str
    trials: Count
    failed: Annotated[int, Field(ge=0)]
    questions: Count
    seconds: Seconds
    best: TrialTrained
    preset: TrialTrained
    gain: Gained | None = None  # absent where the preset is the best, or isn't as far trained
    changed: dict[str, float]


class StageLine(_Document):
    """A line of a search's trials.jsonl."""

    trial: Annotated[int, Field(ge=0)]
    values: dict[str, float]
    epochs: Annotated[int, Field(ge=0)]
    questions: Annotated[int, Field(ge=0)]
    seconds: Seconds
    best: BestOfSeed | None
    finished: str | None
    failed: str | None


class EpochLine(_Document):
    """A line of a run's metrics.jsonl."""

    epoch: Count
    loss: Loss
    gate_loss: Loss
    valid_accuracy: Fraction
    valid_loss: Loss
    valid_tasks: dict[str, Fraction]
    best: bool
    learning_rate: Annotated[float, Field(gt=0)]
    waiting: Fraction
    seconds: Seconds


class OneOfTop(_Document):
    answer: str
    confidence: Fraction


class Without(_Document):
    """The answer to a story without some facts."""

    facts: Annotated[list[Position], Field(min_length=1, max_length=2)]
    answer: str
    confidence: Fraction


class Answered(_Document):
    """dmn ask --json, and a line of the prompt's"""

    answer: str | None  # null: it abstains
    best: str = ""  # what it would have answered, where it abstains
    answers: list[str] = []  # one for each fact, where the question asks for that
    confidence: Fraction
    top: list[OneOfTop] = []  # the likeliest first, where asked for
    gates: list[list[Fraction]]  # [pass][fact]
    facts: Annotated[list[str], Field(min_length=1)]
    read: list[Position]
    needed: list[list[Position]] = []  # with --why
    without: list[Without] = []
    unknown_words: list[str]
    bound: Annotated[dict[str, list[str]], Field(min_length=1)] = {}  # new names, and some known ones of their kind
    did_you_mean: Annotated[dict[str, str], Field(min_length=1)] = {}
    too_many_names: Annotated[list[str], Field(min_length=1)] = []
    not_in_story: Annotated[list[str], Field(min_length=1)] = []

    @model_validator(mode="after")
    def fits(self) -> "Answered":
        """Everything that is by fact has as many as there are facts."""
        facts = len(self.facts)
        assert all(len(gates) == facts for gates in self.gates)
        assert self.read == sorted(set(self.read))
        assert all(fact < facts for fact in self.read)
        assert (self.answer is None) == ("best" in self.model_fields_set)
        said = self.best if self.answer is None else self.answer
        assert self.needed == [one.facts for one in self.without if one.answer != said]
        assert len(self.answers) == (facts if "answers" in self.model_fields_set else 0)
        return self


class AnsweredLine(Answered):
    """A line of dmn ask --batch"""

    id: Any = None  # absent where the question has none


class RefusedLine(_Document):
    """A line of dmn ask --batch that answers a bad one"""

    id: Any
    error: str


class Predicted(_Document):
    """A line of dmn eval --predictions"""

    id: Annotated[int, Field(ge=0)]
    task: str
    story: Annotated[list[str], Field(min_length=1)]
    question: str
    answer: str
    prediction: str
    correct: bool
    confidence: Fraction
    support: list[Position]
    read: list[Position]
    needed: list[list[Position]] = []  # with --why


class Differs(_Document):
    value: Any
    preset: Any


class OfTraining(_Document):
    name: str
    path: str
    fingerprint: str
    state: Annotated[str, Field(pattern="^(unchanged|changed|gone)$")]


class BestEpoch(Best):
    changed: Fraction = 0  # where names change


class SoFar(_Document):
    epochs: Count
    seconds: Seconds
    best: BestEpoch


class KnownNames(_Document):
    known: Annotated[list[str], Field(min_length=1)]
    spares: Count


class InfoOfModel(_Document):
    """dmn info MODEL --json"""

    kind: Literal["model"]
    path: str
    bytes: Count
    dmn_version: str
    preset: str
    tasks: list[str]
    tokenizer: dict[str, Any]
    model_sha256: Sha256
    seed: SeedNumber | list[SeedNumber] | None = None
    sha256: dict[str, Sha256]
    network: str
    form: str
    settings: dict[str, Any]
    changed: dict[str, Differs]
    networks: Count
    weights: Count
    words: Count
    answers: Count
    names: list[KnownNames]
    question: str | None = None
    table: dict[str, Any] | None = None
    read: list[dict[str, Any]] | None = None
    temperature: Annotated[float, Field(gt=0)]
    validation: dict[str, Any]


class NoModelYet(_Document):
    missing: str


class InfoOfRun(_Document):
    """dmn info RUN --json"""

    kind: Literal["run"]
    path: str
    bytes: Count
    preset: str
    changed: dict[str, Differs]
    data: list[OfTraining]
    training: SoFar | None = None  # absent before the first epoch, and where there are several trainings
    seeds: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    model: InfoOfModel | NoModelYet


class Rate(_Document):
    device: str
    hidden: Count
    questions: Count
    training_questions_per_s: Count
    answering_questions_per_s: Count


class Examined(_Document):
    """dmn doctor --json"""

    dmn: str
    python: str
    system: str
    cpu: str
    cores: Count
    memory_bytes: int | None
    threads: Count
    compiler: str | None
    kernels: dict[str, str]
    gpus: list[dict[str, Any]]
    cache: dict[str, Any]
    packages: dict[str, str]
    environment: dict[str, str]
    rate: Rate
