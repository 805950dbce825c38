"""Presets, configuration files and single keys."""

from pathlib import Path
from typing import Any, get_args, get_type_hints

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from dmn_cli.errors import UsageError
from dmn_cli.settings.load import as_dict, from_dict, load, parse_override, presets, to_toml
from dmn_cli.settings.schema import DmnSettings, Settings, TrainingSettings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_the_presets() -> None:
    assert presets() == [
        *("bi-lstm", "dcnn", "dmn", "dmn-image", "dmn-plus", "drnn", "memn2n", "memnn"),
        *("mv-rnn", "rntn", "sentence-cnn", "text", "tree-lstm"),
    ]
    assert load() == load("dmn-plus")
    for name in presets():
        assert load(name).preset == name


def model(*args: Any, **options: Any) -> DmnSettings:
    chosen = load(*args, **options).model
    assert isinstance(chosen, DmnSettings)
    return chosen


def test_the_presets_differ_where_the_papers_do() -> None:
    dmn, plus = model("dmn"), model("dmn-plus")
    assert (dmn.reader, plus.reader) == ("word-gru", "fusion")
    assert (dmn.gate_features, plus.gate_features) == ("dmn", "dmn-plus")
    assert (dmn.episode, plus.episode) == ("gru", "gate")
    assert (dmn.memory, plus.memory) == ("gru", "relu")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("model.passes", "5", 5),
        ("model.dropout", "0", 0.0),
        ("model.dropout", "0.25", 0.25),
        ("model.end_of_passes", "true", True),
        ("model.gates", "sigmoid", "sigmoid"),
        ("model.gates", '"sigmoid"', "sigmoid"),
        ("training.learning_rate", "1e-4", 1e-4),
        ("training.gate_supervision", "off", "off"),
        ("training.seed", "9_000", 9000),
    ],
)
def test_a_key_takes_a_value_of_its_type(key: str, text: str, value: Any) -> None:
    table, name = key.split(".")
    got = getattr(getattr(load(overrides=[parse_override(f"{key}={text}")]), table), name)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.hidden", "0"),
        ("model.hidden", "big"),
        ("model.hidden", "8.0"),
        ("model.hidden", "true"),
        ("model.hidden", "[8]"),
        ("model.hidden", ""),
        ("model.dropout", "1"),
        ("model.dropout", "-0.1"),
        ("model.dropout", "true"),
        ("model.gates", "hard"),
        ("model.gates", "1"),
        ("model.end_of_passes", "1"),
        ("training.seed", "-1"),
        ("training.seed", str(2**63)),
        ("training.learning_rate", "nan"),
        ("training.learning_rate", "inf"),
        ("training.clip", "inf"),
        pytest.param("training.l2", "1" + "0" * 400, id="more than a float holds"),
        pytest.param("training.l2", "1" + "0" * 5000, id="more digits than Python reads"),
        pytest.param("model.hidden", "[" * 5000, id="nested without end"),
    ],
)
def test_a_wrong_value_names_its_key(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=key) as caught:
        load(overrides=[(key, value)])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("model.hiden", "model.hidden"),
        ("hidden", "model.hidden"),
        ("training.passes", "model.passes"),
        ("batchsize", "training.batch_size"),
    ],
)
def test_an_unknown_key_gets_a_suggestion(key: str, meant: str) -> None:
    with pytest.raises(UsageError, match="no setting") as caught:
        load(overrides=[(key, "1")])
    assert caught.value.hint == f"Did you mean {meant}?"


def test_an_unknown_key_like_no_other_gets_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        load(overrides=[("zzzz", "1")])
    assert "model.hidden" in str(caught.value)
    assert "training.seed" in str(caught.value)


@pytest.mark.parametrize("text", ["model.passes", "=5", ""])
def test_what_is_not_key_value(text: str) -> None:
    with pytest.raises(UsageError, match="not KEY=VALUE"):
        parse_override(text)


def test_key_value_is_cut_at_the_first_equals_sign() -> None:
    assert parse_override(" a.b = c=d ") == ("a.b", "c=d")


def test_a_key_given_twice_has_its_last_value() -> None:
    assert model(overrides=[("model.passes", "2"), ("model.passes", "4")]).passes == 4


def test_an_unknown_preset_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="'dmnplus'") as caught:
        load("dmnplus")
    assert caught.value.hint == "Did you mean dmn-plus?"


# --- configuration files


def test_preset_then_config_then_key(config: Path) -> None:
    """Each overrides those before, and touches nothing else."""
    config.write_text("[model]\nhidden = 11\npasses = 2\n[training]\nl2 = 1\n")
    got = load("dmn", config, [("model.passes", "7")])
    base = load("dmn")
    assert got == base.model_copy(
        update={
            "model": base.model.model_copy(update={"hidden": 11, "passes": 7}),
            "training": base.training.model_copy(update={"l2": 1.0}),
        }
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '# mine\n[training]\nbatch_size = "many"',
            ":3: training.batch_size = 'many': input should be a valid integer",
        ),
        ("training.epochs = -1", ":1: training.epochs = -1: "),
        ("[training]\nlearning_rat = 1", ":2: there is no setting 'training.learning_rat'\nDid you mean training."),
        ("\nmodel = 3", ":2: there is no setting 'model'\nIt is a table, of model.network, "),
        ("[model.passes]\nx = 1", ":2: there is no setting 'model.passes.x'\nmodel.passes is a value, and no table."),
        ('[model]\nnetwork = "x"', ":2: there is no network 'x'"),
        ("preset = 3", ":1: there is no preset 3"),
    ],
)
def test_what_is_wrong_in_a_config_is_found_there(config: Path, text: str, said: str) -> None:
    config.write_text(f"{text}\n", encoding="utf-8-sig")
    with pytest.raises(UsageError) as error:
        load(config=config)
    assert str(error.value).startswith(f"{config}{said}")


def test_a_key_that_a_runs_own_file_lacks_is_as_it_was_before_there_was_one(config: Path) -> None:
    before = load(overrides=[("training.epochs", 7)])
    text = [line for line in to_toml(before).splitlines() if not line.startswith("first_questions")]
    config.write_text("\n".join(text), encoding="utf-8")
    assert load(config=config) == before  # as anybody's file: the preset says the rest
    assert before.training.model_dump()["first_questions"] == "auto"
    assert load(config=config, of_run=True) == from_dict(
        {**as_dict(before), "training": {**as_dict(before)["training"], "first_questions": 0}}
    )


@pytest.mark.parametrize("name", presets())
def test_a_runs_own_file_is_read_as_it_was_written(config: Path, name: str) -> None:
    config.write_text(to_toml(load(name)), encoding="utf-8")
    assert load(config=config, of_run=True) == load(name)


def test_a_config_names_its_preset_and_the_command_line_another(config: Path) -> None:
    config.write_text('preset = "dmn"\n[model]\nhidden = 9\n')
    assert load(config=config).preset == "dmn"
    assert model(config=config).reader == "word-gru"
    assert model("dmn-plus", config).reader == "fusion"
    assert model("dmn-plus", config).hidden == 9


@pytest.mark.parametrize(
    "content",
    [
        "hidden 5",
        "[model",
        "[model]\nhidden = 1\nhidden = 2",
        "model = 5",
        "[model.hidden]\nx = 1",
        "[modell]\nhidden = 5",
        "[model]\nhidden = 0",
        "[model]\nhidden = [1]",
        'preset = "none"',
        "preset = 5",
        "preset = [1]",
        "[preset]\nname = 1",
        pytest.param("[training]\nseed = 1" + "0" * 5000, id="more digits than Python reads"),
        pytest.param("a = " + "[" * 5000, id="nested without end"),
    ],
)
def test_a_wrong_config_is_a_usage_error(config: Path, content: str) -> None:
    config.write_text(content)
    with pytest.raises(UsageError):
        load(config=config)


def test_an_unreadable_config_is_named(config: Path) -> None:
    with pytest.raises(UsageError, match="No such file") as caught:
        load(config=config)
    assert caught.value.where == str(config)
    config.write_bytes(b'preset = "dm\xe9"')
    with pytest.raises(UsageError, match="not TOML") as caught:
        load(config=config)
    assert caught.value.where == str(config)


def test_an_unknown_key_in_a_config_names_the_file(config: Path) -> None:
    config.write_text("[model]\nhiden = 5\n")
    with pytest.raises(UsageError, match=r"no setting 'model\.hiden'") as caught:
        load(config=config)
    assert caught.value.where == f"{config}:2"
    assert caught.value.hint == "Did you mean model.hidden?"


# --- back and forth


def fields(model: type[DmnSettings | TrainingSettings]) -> st.SearchStrategy[dict[str, Any]]:
    """Any values that a table of settings might be given."""
    number = st.integers(1, 2**63 - 1)
    real = st.floats(min_value=0, max_value=0.999, exclude_min=True)
    by_type: dict[Any, st.SearchStrategy[Any]] = {int: number, float: real, bool: st.booleans(), str: st.just("dmn")}
    return st.fixed_dictionaries(
        {
            name: by_type[kind] if kind in by_type else st.sampled_from(get_args(kind))
            for name, kind in get_type_hints(model).items()
            if name in model.model_fields
        }
    )


def _possible(model: dict[str, Any]) -> dict[str, Any]:
    """Letters are read where sentences are read word by word, and some numbers have a greatest value."""
    most = {"hidden": 1 << 16, "passes": 1000, "fusion_layers": 100, "characters": 1 << 16, "ngrams": 5}
    most["channels"] = 1 << 12
    model = model | {key: model[key] % limit + 1 for key, limit in most.items()}
    return model | ({} if model["sentence"] == "gru" else {"characters": 0})


def _few_at_once(training: dict[str, Any]) -> dict[str, Any]:
    """Of a batch the greatest number is a million."""
    return training | {"batch_size": training["batch_size"] % 1_000_000 + 1}


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    preset=st.sampled_from(presets()),
    model=fields(DmnSettings).map(_possible),
    training=fields(TrainingSettings).map(_few_at_once),
)
def test_settings_survive_being_written(
    config: Path, preset: str, model: dict[str, Any], training: dict[str, Any]
) -> None:
    settings = from_dict({"preset": preset, "model": {**model, "reader": "fusion"}, "training": training})
    config.write_text(to_toml(settings))
    assert load(config=config) == settings
    assert from_dict(settings.model_dump()) == settings


def test_a_dict_that_lacks_a_setting_or_has_one_too_many() -> None:
    values = load().model_dump()
    del values["model"]["passes"]
    with pytest.raises(UsageError, match=r"model\.passes"):
        from_dict(values)
    with pytest.raises(UsageError, match=r"model\.colour"):
        from_dict({**load().model_dump(), "model": {**load().model_dump()["model"], "colour": "red"}})


def test_settings_do_not_change_under_ones_hands() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.model.hidden = 1  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(settings, Settings)


def test_keys_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match='model: sentence, fusion_layers and word_dropout are for reader = "fusion"'):
        load("dmn", overrides=[("model.fusion_layers", 2)])
    with pytest.raises(UsageError, match='model: characters are for sentence = "gru"'):
        load("dmn-plus", overrides=[("model.characters", 20)])
