"""KnowledgeBase on Chroma and BM25."""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from midas_devops.adapters import chroma_store
from midas_devops.adapters.chroma_store import BATCH, ChromaStore
from midas_devops.adapters.file_lock import file_lock
from midas_devops.config import Knowledge
from midas_devops.knowledge.embedders import Embedder, choose_embedder
from midas_devops.knowledge.entries import (
    FORMAT,
    Entry,
    Metadata,
    digest,
    entries_of,
    hit_of,
    incident_entries,
    is_complete,
    row_of,
)
from midas_devops.knowledge.lexical import LexicalIndex
from midas_devops.knowledge.search import distinct, fuse
from midas_devops.knowledge.sources import Gathered, gather, read_source, redact_lines, source_name
from midas_devops.knowledge.words import words
from midas_devops.ports.knowledge import AddReport, Hit, Incident, Kind
from midas_devops.safety.private import FOLDER, private_folder, project_folder

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

_LOG = logging.getLogger(__name__)
_POOL = 50
"""Candidates that each ranking brings."""
_MOST = 500
_COMMON = 0.1
_WAIT_SECONDS = 600.0


class ChromaKnowledge:
    """Hybrid retrieval: vectors in Chroma and BM25, fused by reciprocal rank.

    Embedded in ``settings.path`` (relative to ``root``, 0700), or on the server at ``settings.url``.
    Everything is redacted before it is stored, and nothing is downloaded. Several processes of one machine
    may add at the same time. Raises StorageError for a store that cannot be used.
    """

    def __init__(self, root: Path, settings: Knowledge, *, redact: Callable[[str], str]) -> None:
        self._root = root.absolute()
        self._settings = settings
        self._redact = redact
        folder = self._root / settings.path
        self._store = ChromaStore(folder, settings.url)
        if settings.url:
            # What is kept here of a server's store belongs to that server.
            folder = folder / f"server-{hashlib.sha256(settings.url.encode()).hexdigest()[:12]}"
        self._folder = folder
        self._embedder: Embedder | None = None
        self._index = LexicalIndex()
        self._warned = False
        self._guard = threading.RLock()

    def add(self, paths: Iterable[str]) -> AddReport:
        """Add files, folders and globs; only what changed is stored again, and what is gone is taken out."""
        given = list(paths)
        embedder = self._choose()
        with self._writing(embedder) as (collection, index):
            known = index.sources()
            gathered = gather(self._root, given, known.keys())
            wanted: dict[str, list[Entry]] = {}
            files = self._named(gathered.files)
            skipped, unchanged = gathered.skipped, 0
            gone = self._gone(given, gathered, files, known.keys())
            for source, path in files.items():
                text, why_not = read_source(path)
                if why_not:
                    skipped.append(f"{source}: {why_not}")
                    gone |= {source} & known.keys()
                    continue
                text = redact_lines(text, self._redact)
                file = digest(FORMAT, text)
                if is_complete(known.get(source, []), file):
                    unchanged += 1
                else:
                    wanted[source] = entries_of(source, text, file)
            self._write(collection, index, embedder, wanted, gone)
            updated = sum(source in known for source in wanted)
        return AddReport(
            added=len(wanted) - updated,
            updated=updated,
            removed=len(gone),
            unchanged=unchanged,
            skipped=tuple(self._redact(why) for why in skipped),
            missing=tuple(self._redact(given) for given in gathered.missing),
        )

    def add_incident(self, incident: Incident) -> None:
        """Keep a resolved failure; the same run again replaces it."""
        source, entries = incident_entries(incident, self._redact)
        if not entries:
            return
        embedder = self._choose()
        with self._writing(embedder) as (collection, index):
            if not is_complete(index.sources().get(source, []), entries[0].row.file):
                self._write(collection, index, embedder, {source: entries}, set())

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        kinds: tuple[Kind, ...] = (),
        environment: str = "",
        provider: str = "",
    ) -> list[Hit]:
        """The chunks that fit best, near-duplicates left out; an empty list when there is nothing to find.

        ``environment`` and ``provider`` leave out the chunks that belong to another one; those that belong to
        none stay.
        """
        query = self._redact(query)
        if k <= 0 or not words(query):
            return []
        pool = min(max(_POOL, 4 * k), _MOST)
        with self._store.session() as collection:
            if collection is None:
                return []
            index = self._current(collection)
            allowed = index.allowed(kinds, environment, provider)
            by_words = index.search(query, pool, allowed)
            by_meaning, weight = self._dense(collection, index, query, pool, allowed)
            fused = fuse([(by_words, 1.0), (by_meaning, weight)])[: max(_POOL, 3 * k)]
            found = {
                name: (metadata, text)
                for name, metadata, text in chroma_store.fetch(collection, [name for name, _ in fused])
            }
        hits = (hit_of(*found[name], score) for name, score in fused if name in found)
        # Names of a store that was filled before names were redacted.
        told = (hit.model_copy(update={"source": self._redact(hit.source)}) for hit in hits)
        return distinct(told, k)

    def close(self) -> None:
        """Let go of the store's files; the next call opens them again."""
        self._store.close()

    def _named(self, files: Mapping[str, Path]) -> dict[str, Path]:
        """The same files by redacted names; a number tells apart those that only a secret distinguished."""
        named: dict[str, Path] = {}
        for source, path in files.items():
            name = shown = self._redact(source)
            number = 1
            while name in named or (name != source and name in files):
                number += 1
                name = f"{shown} ({number})"
            named[name] = path
        return named

    def _gone(
        self, given: Iterable[str], gathered: Gathered, files: Mapping[str, Path], known: KeysView[str]
    ) -> set[str]:
        """Known sources that are not there any more, or that are known by a raw name so far."""
        gone = gathered.gone | (gathered.files.keys() & known)
        for path in (self._root / one for one in given):
            name = source_name(self._root, path)
            shown = self._redact(name)
            if shown != name:
                gone.update(source for source in known if source == shown or source.startswith(f"{shown}/"))
        return gone - files.keys()

    def _prepare(self) -> None:
        if self._folder.is_relative_to(self._root / FOLDER):
            project_folder(self._root)
        private_folder(self._folder)

    def _choose(self) -> Embedder:
        if self._embedder is None:
            self._embedder = choose_embedder(self._settings.embedder)
        return self._embedder

    def _dense(
        self,
        collection: Collection,
        index: LexicalIndex,
        query: str,
        limit: int,
        allowed: npt.NDArray[np.bool_] | None,
    ) -> tuple[list[str], float]:
        """The ranking by vectors, and its weight."""
        remembered = str((collection.metadata or {}).get("embedder", ""))
        embedder = self._choose()
        if self._settings.embedder == "auto" and remembered.startswith("lexical/"):
            embedder = choose_embedder("lexical")
        if embedder.identity != remembered:
            say = _LOG.debug if self._warned else _LOG.warning
            self._warned = True
            say(
                "the knowledge base was embedded with %s, not with %s: words alone decide until the next "
                "'knowledge add' embeds it again",
                remembered,
                embedder.identity,
            )
            return [], 0.0
        (vector,) = embedder.embed([query])
        if allowed is None:
            return chroma_store.nearest(collection, vector, limit), embedder.weight
        share = float(allowed.mean()) if len(allowed) else 0.0
        if share == 0.0:
            return [], 0.0
        # A filter makes Chroma's search slower the more it leaves out: where much passes, asking for more and
        # choosing here is several times faster.
        if share >= _COMMON:
            near = chroma_store.nearest(collection, vector, min(int(1.5 * limit / share), _MOST))
            passing = [name for name in near if name in index.place and allowed[index.place[name]]]
            return passing[:limit], embedder.weight
        among = [index.rows[number].id for number in np.flatnonzero(allowed).tolist()]
        return chroma_store.nearest(collection, vector, limit, among=among), embedder.weight

    def _current(self, collection: Collection) -> LexicalIndex:
        """The words as of this state of the store; as of an earlier one while somebody is adding."""
        with self._guard:
            generation = chroma_store.generation_of(collection)
            if self._index.generation != generation:
                self._index = LexicalIndex.load(self._folder / "lexical")
            if self._index.generation != generation:
                self._prepare()
                with file_lock(self._folder / "lock", 0.0) as taken:
                    # Without any words (an index of another version) they are made for this process alone.
                    if taken or not self._index.generation:
                        self._index = self._synchronised(collection, generation, keep=taken)
            return self._index

    def _synchronised(self, collection: Collection, generation: str, *, keep: bool) -> LexicalIndex:
        """Bring the words up to date with the store, by its ids. ``keep`` them on disk: needs the lock."""
        ids = chroma_store.all_ids(collection)
        have = {row.id for row in self._index.rows}
        rows = [
            row_of(name, metadata) for name, metadata, _ in chroma_store.fetch(collection, ids, texts=False)
        ]
        fresh = chroma_store.fetch(collection, [name for name in ids if name not in have])
        texts = {name: f"{metadata['context']}\n{text}" for name, metadata, text in fresh}
        index = self._index.updated(generation, rows, texts)
        if keep:
            index.save(self._folder / "lexical")
        return index

    @contextmanager
    def _writing(self, embedder: Embedder) -> Iterator[tuple[Collection, LexicalIndex]]:
        """The store and its words, alone and up to date, in vectors of this embedder."""
        self._prepare()
        new: Metadata = {"format": FORMAT, "embedder": embedder.identity, "generation": uuid.uuid4().hex}
        with (
            # The store before the guard, as in a search: two threads must not take them in turn.
            file_lock(self._folder / "lock", _WAIT_SECONDS),
            self._store.session(create=new) as collection,
            self._guard,
        ):
            assert collection is not None  # noqa: S101  it was just created
            generation = chroma_store.generation_of(collection)
            if self._index.generation != generation:
                self._index = LexicalIndex.load(self._folder / "lexical")
            if self._index.generation != generation:
                self._index = self._synchronised(collection, generation, keep=True)
            remembered = (collection.metadata or {}).get("embedder")
            same = remembered == embedder.identity
            yield collection if same else self._embed_again(collection, embedder), self._index

    def _embed_again(self, collection: Collection, embedder: Embedder) -> Collection:
        metadata: Metadata = {
            "format": FORMAT,
            "embedder": embedder.identity,
            "generation": self._index.generation,
        }
        with self._store.replacement(metadata) as fresh:
            rows = chroma_store.fetch(collection, [row.id for row in self._index.rows])
            while batch := list(islice(rows, BATCH)):
                vectors = embedder.embed([f"{metadata['context']}\n{text}" for _, metadata, text in batch])
                ids, metadatas, texts = (list(column) for column in zip(*batch, strict=True))
                chroma_store.put(fresh, ids, vectors, texts, metadatas)
        return fresh

    def _write(
        self,
        collection: Collection,
        index: LexicalIndex,
        embedder: Embedder,
        wanted: dict[str, list[Entry]],
        gone: set[str],
    ) -> None:
        """Store new chunks, then take out old ones: cut off anywhere, the next add sees what is missing."""
        if not wanted and not gone:
            return
        self._store.mark(collection, uuid.uuid4().hex)
        have = {row.id for row in index.rows}
        entries = [entry for listed in wanted.values() for entry in listed]
        new = [entry for entry in entries if entry.row.id not in have]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            vectors = embedder.embed([entry.indexed for entry in batch])
            chroma_store.put(
                collection,
                [entry.row.id for entry in batch],
                vectors,
                [entry.text for entry in batch],
                [entry.metadata for entry in batch],
            )
        kept = {entry.row.id: entry.metadata for entry in entries if entry.row.id in have}
        chroma_store.relabel(collection, kept)
        current = {entry.row.id for entry in entries}
        untouched = [row for row in index.rows if row.source not in gone and row.source not in wanted]
        stays = current.union(row.id for row in untouched)
        chroma_store.remove(collection, [row.id for row in index.rows if row.id not in stays])
        generation = uuid.uuid4().hex
        rows = [*untouched, *(entry.row for entry in entries)]
        self._index = index.updated(generation, rows, {entry.row.id: entry.indexed for entry in new})
        self._index.save(self._folder / "lexical")
        dimensions = {} if not new else {"dimensions": int(vectors.shape[1])}
        self._store.mark(collection, generation, **dimensions)
