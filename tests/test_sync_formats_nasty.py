"""Ids and texts that break tables, lines, paths and tokenizers, through every format and back."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from formats_world import MEDIUM, READERS, item, lines, written_ids
from media_world import moment
from PIL import Image
from sync_world import grade, make_workspace
from webdataset import WebDataset

from label_configs.records import Candidate, Judgment, Modality, Pool, Query, ScoredDoc
from store.taking import SOURCES, take
from sync.dataset import Dataset, load
from sync.formats import FORMATS, write

IDS: Sequence[str] = (
    "plain",
    "a b",
    "a%20b",  # what the one before is written as, where white space is none
    "%",
    "a+b",
    "Case",
    "case",
    "../../etc/passwd",
    "/abs/olute",
    ".hidden",
    "-rf",
    "#comment",
    "a##b",
    '"quoted"',
    '"',
    "it's",
    "a,b;c|d",
    "=1+1",
    "@cmd",
    "{0}",
    "${HOME}",
    "\\N",
    "NaN",
    "null",
    "0",
    "00",
    "1e5",
    "True",
    "\u2028line",
    "\u00a0nbsp",
    "\ufeffbom",
    "é",
    unicodedata.normalize("NFD", "é"),
    "\u202eltr",
    "🦉",
    "x" * 300,
    "q0001.png",
    "<image>",
)
TEXTS: Sequence[str] = (
    "a\tb\nc\r\nd",
    "nul\0byte",
    "🦉 \u200d\ufe0f",
    'a lone " quote',
    "'",
    "=HYPERLINK(1)",
    "<im<image>age> <|endofchunk|> <|image_1|>",
    "NA",
    "null",
    "\u2028\u2029\x85",
    "\ufeffbom",
    "## 1 2##x",
    "\\t\\n \\",
    "{not: json}",
    "l" * 20000,
)


def nasty(root: Path, medium: Modality) -> Dataset:
    """Queries with these ids and texts, each with a positive, a negative and a middling item whose ids are theirs too;
    their media have one name in folders of their own.
    """
    data = load(make_workspace(root, settings="[splits]\ndev = 0\ntest = 0\n"), "main")
    texts = {id_: f"{n} {TEXTS[n % len(TEXTS)]}" for n, id_ in enumerate(IDS)}
    items = {id_: replace(item(root, id_, medium), text=f"{texts[id_]} of it") for id_ in IDS}
    for n, (id_, one) in enumerate(items.items()):
        if one.uri:
            moved = root / "media" / str(n) / f"same.{one.uri.rpartition('.')[2]}"
            moved.parent.mkdir()
            (root / one.uri).rename(moved)
            items[id_] = replace(one, uri=str(moved.relative_to(root)))
    triples = [(id_, IDS[n], IDS[(n + 1) % len(IDS)], IDS[(n + 2) % len(IDS)]) for n, id_ in enumerate(IDS)]
    pools = [
        Pool(
            query_id=q,
            candidates=tuple(Candidate(doc_id=d, source="dense") for d in docs),
            encoder="",
            index="",
            seed=0,
        )
        for q, *docs in triples
    ]
    said = [
        one
        for q, *docs in triples
        for doc_id, value in zip(docs, (3, 0, 1), strict=True)
        for who in ("ada", "bob")
        for one in (grade(q, doc_id, value, who), *marks(q, doc_id, value, who))
    ]
    return replace(
        data,
        items=items,
        queries={id_: Query(query_id=id_, text=text) for id_, text in texts.items()},
        pools=pools,
        run=[ScoredDoc(q, d, 1.0) for q, *docs in triples for d in docs],
        judgments=said,
    )


def marks(query_id: str, doc_id: str, value: int, who: str) -> Iterator[Judgment]:
    if value == 3:
        yield moment(query_id, doc_id, who, 2.0, 4.0)


Written = Callable[[str], tuple[Dataset, Path]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The world of a format, and the folder that it was written into, once; those of one medium share the world."""
    worlds = {medium: nasty(tmp_path_factory.mktemp(medium), medium) for medium in ("image", *MEDIUM.values())}

    @cache
    def made(name: str) -> tuple[Dataset, Path]:
        data, folder = worlds[MEDIUM.get(name, "image")], tmp_path_factory.mktemp(name) / "out"
        if name == "dissonance":
            data = replace(data, judgments=[replace(j, flags=("figurative",)) for j in data.judgments])
        write(name, data, folder)
        return data, folder

    return made


@pytest.mark.parametrize("name", FORMATS)
def test_every_id_comes_back_as_it_was(written: Written, name: str) -> None:
    seen = list(READERS[name](written(name)[1]))
    assert {s.query_id for s in seen} == set(IDS)
    positives = {(s.query_id, s.doc_id) for s in seen if s.role == "positive" or s.grade == 3}
    if name != "preferences":
        assert positives == {(q, q) for q in IDS}


# as their consumers load them

OPEN = pytest.mark.filterwarnings(  # beir and webdataset leave their files open
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def hub(kind: str, path: Path) -> Any:
    from datasets import load_dataset

    return load_dataset(kind, data_files=str(path), split="train")


def one_line(text: str) -> str:
    return " ".join(text.split())


def asked(data: Dataset) -> list[str]:
    return sorted(query.text for query in data.queries.values())


def test_ir_measures_and_pytrec_eval_read_every_id(written: Written) -> None:
    import ir_measures
    import pytrec_eval

    data, out = written("trec")
    ids = written_ids(out)
    read = {(ids.get(q, q), ids.get(d, d)): r for q, d, r, *_ in ir_measures.read_trec_qrels(str(out / "qrels.txt"))}
    assert read == {(q, d): g for q, d, g in data.qrels}
    with (out / "qrels.txt").open(encoding="utf-8") as file:
        assert sum(map(len, pytrec_eval.parse_qrel(file).values())) == len(data.qrels)
    with (out / "run.txt").open(encoding="utf-8") as file:
        assert sum(map(len, pytrec_eval.parse_run(file).values())) == len(data.run)


@OPEN
def test_beirs_loader_reads_every_id_and_text(written: Written) -> None:
    from beir.datasets.data_loader import GenericDataLoader

    data, out = written("beir")
    corpus, queries, qrels = GenericDataLoader(str(out)).load("train")
    assert {d: of["text"] for d, of in corpus.items()} == {d: i.text for d, i in data.items.items()}
    assert queries == {q: query.text for q, query in data.queries.items()}
    assert {(q, d): g for q, of in qrels.items() for d, g in of.items()} == {(q, d): g for q, d, g in data.qrels}


def test_mtebs_loader_reads_every_id_and_text(written: Written) -> None:
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalDatasetLoader

    data, out = written("mteb")
    loaded = RetrievalDatasetLoader(str(out), None, split="train", config="default").load()  # type: ignore[arg-type]
    assert dict(zip(loaded["queries"]["id"], loaded["queries"]["text"], strict=True)) == {
        q: query.text for q, query in data.queries.items()
    }
    relevant = {(q, d): g for q, of in loaded["relevant_docs"].items() for d, g in of.items()}
    assert relevant == {(q, d): g for q, d, g in data.qrels}


TABLES = {
    "pairs": "anchor",
    "scored-pairs": "query",
    "triplets": "anchor",
    "ntuples": "anchor",
    "labeled-lists": "query",
    "preferences": "prompt",
    "clip-text": "text",
    "tevatron": "query_text",
}
LINES = {"colpali": "query", "flagembedding": "query", "grounding": "query", "dissonance": "query", "moments": "query"}


@pytest.mark.parametrize("name", TABLES)
def test_datasets_reads_every_text_of_a_table(written: Written, name: str) -> None:
    data, out = written(name)
    texts = set(hub("parquet", out / "train.parquet")[TABLES[name]])
    assert sorted(texts) == sorted(map(one_line, asked(data)) if name == "clip-text" else asked(data))


@pytest.mark.parametrize("name", LINES)
def test_datasets_reads_every_text_of_lines(written: Written, name: str) -> None:
    data, out = written(name)
    rows = hub("json", out / "train" / "train.jsonl" if name == "flagembedding" else out / "train.jsonl")
    texts = {query["text"] if isinstance(query, dict) else query for query in rows[LINES[name]]}
    assert sorted(texts) == sorted(map(one_line, asked(data)) if name == "moments" else asked(data))


def test_charades_lines_part_into_film_and_sentence(written: Written) -> None:
    _, out = written("moments")
    read = [line.split("##") for line in (out / "train.charades.txt").read_text("utf-8").split("\n")[:-1]]
    assert {len(parts) for parts in read} == {2}
    ids = written_ids(out)
    assert {ids.get(head.split()[0], head.split()[0]) for head, _ in read} == set(IDS)


def test_open_clip_reads_every_title_with_its_own_picture(written: Written) -> None:
    from open_clip_train.data import CsvDataset

    data, out = written("openclip-csv")
    with chdir(out):
        read = CsvDataset("train.tsv", lambda p: p.getpixel((0, 0))[0], "filepath", "title", tokenizer=lambda t: t)
        pairs = sorted((title.strip(), red) for red, title in (read[n] for n in range(len(read))))
    reds = {q: Image.open(data.media.root / data.items[q].uri).getpixel((0, 0))[0] for q in IDS}  # type: ignore[index]
    assert pairs == sorted((one_line(data.queries[q].text), reds[q]) for q in IDS)


@OPEN
@pytest.mark.parametrize(("name", "text"), [("openclip-wds", "txt"), ("wds-negatives", "query.txt")])
def test_webdataset_and_datasets_read_every_text_of_shards(written: Written, name: str, text: str) -> None:
    data, out = written(name)
    wanted = sorted(map(one_line, asked(data)) if name == "openclip-wds" else asked(data))
    read = WebDataset(str(out / "train" / "00000.tar"), shardshuffle=False)
    assert sorted(sample[text].decode() for sample in read) == wanted
    assert sorted(hub("webdataset", out / "train" / "00000.tar")[text]) == wanted


def test_slots_are_as_many_as_pictures_whatever_a_text_says(written: Written) -> None:
    _, out = written("interleaved")
    for group in lines(out / "train.jsonl"):
        assert group["text"].count("<image>") == len(group["images"]) == group["text"].count("<|endofchunk|>")
    _, out = written("vlm2vec")
    for row in hub("parquet", out / "train.parquet"):
        assert "<|image_1|>" not in row["qry"]
        assert row["pos_text"].count("<|image_1|>") == 1


def test_scikit_learn_and_the_map_of_ids_give_every_query_its_grades(written: Written) -> None:
    from sklearn.datasets import load_svmlight_file

    _, out = written("svmlight")
    _, grades, qids = load_svmlight_file(str(out / "train.txt"), query_id=True)
    ids = written_ids(out)
    assert Counter(ids[str(n)] for n in qids.astype(int)) == dict.fromkeys(IDS, 3)
    assert sorted(set(grades.tolist())) == [0, 1, 3]


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_written_outside_the_folder_or_under_a_name_that_a_path_gave(
    written: Written, tmp_path: Path, name: str
) -> None:
    data, out = written(name)
    assert list(out.parent.iterdir()) == [out]
    media = list((out / "media").iterdir()) if (out / "media").exists() else []
    assert all(re.fullmatch(r"[0-9a-f]{32}\.(png|mp4)", path.name) for path in media)
    assert len(media) in (0, len(data.items))


@pytest.mark.parametrize("source", SOURCES)
def test_every_id_comes_back_into_a_workspace(written: Written, tmp_path: Path, source: str) -> None:
    data, out = written(source)
    workspace = make_workspace(tmp_path / "fresh", labelled=False)
    for path, ids in ((workspace.corpus, data.items), (workspace.queries, data.queries)):
        path.write_bytes(b"".join(msgspec.json.encode({"_id": id_, "text": "x"}) + b"\n" for id_ in ids))
    take(workspace, source, out)
    found = {(query.query_id, d) for query in workspace.read_queries().records for d in query.positives}
    assert found == {(q, q) for q in IDS}
