"""Writes the vocabulary and weights of alt-profanity-check as plain arrays.

Runs with the Python of a throw-away environment that has the package and scikit-learn: unpickling
runs the package's code, which nothing else in Sluice does. Usage: toxicity_arrays.py FILE. With
``TEXTS SCORES`` it also writes the package's own score of each text (two JSON files), for the test.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from profanity_check import profanity_check

WORDS = r"(?u)\b\w\w+\b"


def main(path: str) -> None:
    """Write six arrays, one after the other, in numpy's format."""
    its, model = profanity_check.vectorizer, profanity_check.model
    expected = {
        "analyzer": "word", "binary": False, "lowercase": True, "ngram_range": (1, 1),
        "norm": "l2", "strip_accents": None, "sublinear_tf": False, "use_idf": True,
        "token_pattern": WORDS, "stop_words": "english",
    }  # fmt: skip
    other = {name for name, value in expected.items() if getattr(its, name) != value}
    stop_words = its.get_stop_words() & its.vocabulary_.keys()
    if other or stop_words:
        sys.exit(f"the vectorizer differs in {', '.join(sorted(other | stop_words))}")
    words = sorted(its.vocabulary_, key=its.vocabulary_.__getitem__)
    parts = model.calibrated_classifiers_
    with open(path, "wb") as file:
        for values in (
            np.frombuffer("\n".join(words).encode(), np.uint8),
            its.idf_.astype("<f4"),
            np.stack([part.estimator.coef_[0] for part in parts]).astype("<f4"),
            np.array([part.estimator.intercept_[0] for part in parts], "<f8"),
            np.array([part.calibrators[0].a_ for part in parts], "<f8"),
            np.array([part.calibrators[0].b_ for part in parts], "<f8"),
        ):
            np.save(file, values, allow_pickle=False)


def record(texts: str, scores: str) -> None:
    """Write the package's score of each text."""
    given = json.loads(Path(texts).read_text("utf-8"))
    found = [round(float(score), 7) for score in profanity_check.predict_prob(given)]
    Path(scores).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
    if len(sys.argv) > 2:
        record(*sys.argv[2:])
