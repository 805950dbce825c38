"""Whether a model can be asked about a data set: both are of text, or of pictures of one form."""

from __future__ import annotations

from dmn_cli.artifact.model import Model
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import UsageError
from dmn_cli.records.regions import in_words


def check_pictures(model: Model, data: DataSet) -> None:
    """Raises: UsageError"""
    if model.sizes.pictures != data.picture_form:
        learnt, found = map(in_words, (model.sizes.pictures, data.picture_form))
        raise UsageError(f"has {found}, and the model was taught about {learnt}", where=data.path)
