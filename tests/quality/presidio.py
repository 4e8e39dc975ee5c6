"""Asks Presidio what it finds in texts: {"entities": [...], "texts": [...]} on stdin, an answer on stdout.

    PYTHONPATH=PACKAGES python3 presidio.py all|default

Presidio needs a language pipeline for the words around a value. spaCy's trained ones are not on PyPI, so the pipeline
here is spaCy's blank English: its tokenizer, and each word in lower case for a lemma. Recognizers by pattern and the
words that raise their scores work with it; names, places and organisations, which need a trained one, are not asked
for.

`all` asks every recognizer that Presidio ships for the entities, all at once and whatever their language: a text is
not known to be of a country. `default` asks those that a new AnalyzerEngine has for English.
"""

import inspect
import json
import logging
import sys
import time
from importlib.metadata import version

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine


class BlankEngine(NlpEngine):
    """Words without a trained pipeline."""

    def __init__(self):
        self.nlp = spacy.blank("en")

    def load(self):
        pass

    def is_loaded(self):
        return True

    def process_text(self, text, language):
        tokens = self.nlp.make_doc(text)
        return NlpArtifacts(
            entities=[],
            tokens=tokens,
            tokens_indices=[token.idx for token in tokens],
            lemmas=[token.lower_ for token in tokens],
            nlp_engine=self,
            language=language,
        )

    def process_batch(self, texts, language, batch_size=1, n_process=1, **kwargs):
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word, language):
        return self.nlp.vocab[word].is_stop

    def is_punct(self, word, language):
        return self.nlp.vocab[word].is_punct

    def get_supported_entities(self):
        return []

    def get_supported_languages(self):
        return ["en"]


def every_recognizer(entities):
    """One of each class that Presidio ships and that knows one of the entities by itself, for all texts."""
    recognizers = []
    for name, kind in sorted(vars(predefined_recognizers).items()):
        if not (inspect.isclass(kind) and issubclass(kind, EntityRecognizer)):
            continue
        if "supported_language" not in inspect.signature(kind.__init__).parameters or "nlp_engine" in kind.__module__:
            continue
        try:
            recognizer = kind(supported_language="en")
        except (ImportError, TypeError, ValueError):
            continue  # needs a service or a model
        if entities & set(recognizer.supported_entities):
            recognizers.append(recognizer)
    return recognizers


def registry(which, entities, engine):
    if which == "all":
        return RecognizerRegistry(recognizers=every_recognizer(entities), supported_languages=["en"])
    built = RecognizerRegistry(supported_languages=["en"])
    built.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    return built


def main():
    logging.disable(logging.ERROR)
    # top level domains come from the package, and nothing is fetched
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    question = json.load(sys.stdin)
    engine = BlankEngine()
    asked = registry(sys.argv[1], set(question["entities"]), engine)
    analyzer = AnalyzerEngine(registry=asked, nlp_engine=engine, supported_languages=["en"])
    known = set(analyzer.get_supported_entities("en"))
    entities = [entity for entity in question["entities"] if entity in known]
    analyzer.analyze(text="a first text loads what is loaded late: 415-555-2671", language="en", entities=entities)
    began = time.perf_counter()
    answers = [analyzer.analyze(text=text, language="en", entities=entities) for text in question["texts"]]
    seconds = time.perf_counter() - began
    json.dump(
        {
            "findings": [[[one.start, one.end, one.entity_type, one.score] for one in answer] for answer in answers],
            "seconds": seconds,
            "versions": ", ".join(
                [f"Python {sys.version.split()[0]}"] + [f"{name} {version(name)}" for name in ("presidio-analyzer", "spacy")]
            ),
            "recognizers": len(asked.recognizers),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
