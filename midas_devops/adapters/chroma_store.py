"""The vectors: one Chroma collection, embedded in a folder or on a server.

What Chroma itself does not give and this module adds: an embedded store that another process changed is
opened anew (Chroma would go on answering from memory); a process forked from one that used it is refused (it
would hang); errors say which folder or server, and what to do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from midas_devops.errors import ConfigError, MidasError, StorageError
from midas_devops.knowledge.embedders import Floats
from midas_devops.knowledge.entries import Metadata
from midas_devops.safety.private import private_folder, storage_error

if TYPE_CHECKING:
    import httpx
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

NAME = "midas-knowledge"
BATCH = 64
"""Rows of one write. Larger ones keep every other Python thread waiting for a second and more."""
_READ_BATCH = 500
_TIMEOUT_SECONDS = 60.0
_DATABASE = "chroma.sqlite3"


@dataclass
class _Connection:
    """One embedded client per folder and process: two would not see each other's changes."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    client: Client | None = None
    generation: str = ""


_CONNECTIONS: dict[str, _Connection] = {}
_GUARD = threading.Lock()
_USED_BY: list[int] = []
"""The process in which Chroma was first used. Its threads do not survive a fork."""


class ChromaStore:
    """Rows of (id, vector, text, metadata); the collection itself says ``generation`` and ``embedder``."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._server = _Server.parse(url) if url else None
        self.where = url or str(folder)
        self.name = f"{NAME}-{self._server.project}" if self._server and self._server.project else NAME
        if self._server:
            self._connection = _Connection()
        else:
            with _GUARD:
                self._connection = _CONNECTIONS.setdefault(os.path.realpath(folder), _Connection())

    @property
    def exists(self) -> bool:
        """Whether there may be something to read. False for a folder that was never written."""
        return self._server is not None or (self._folder / _DATABASE).is_file()

    @contextmanager
    def session(self, *, create: Metadata | None = None) -> Iterator[Collection | None]:
        """The collection as it is now. Without one: a new one with the metadata ``create``, else None.

        Raises StorageError for a store that cannot be read or reached.
        """
        with self._connection.lock, self._errors():
            collection = self._open(create)
            known = self._connection.generation
            if collection is not None and self._server is None:
                generation = generation_of(collection)
                if known and generation != known:
                    self.close()
                    collection = self._open(create)
                self._connection.generation = generation
            yield collection

    def close(self) -> None:
        """Let go of the files or the connection. The next use opens it again."""
        with self._connection.lock:
            client, self._connection.client = self._connection.client, None
            self._connection.generation = ""
            if client is not None:
                client.close()
                for session in _sessions(client):
                    session.close()

    def mark(self, collection: Collection, generation: str, **more: str | int) -> None:
        """Set the generation (and more) in the collection's metadata."""
        metadata = dict(collection.metadata or {}) | {"generation": generation} | more
        metadata.pop("hnsw:space", None)
        collection.modify(metadata=metadata)
        if self._server is None:
            self._connection.generation = generation

    @contextmanager
    def replacement(self, metadata: Metadata) -> Iterator[Collection]:
        """A new, empty collection that takes the place of the present one when the block ends well."""
        client = self._client()
        spare = f"{self.name}-next"
        if any(collection.name == spare for collection in client.list_collections()):
            client.delete_collection(spare)
        fresh = _create(client, spare, dict(metadata))
        yield fresh
        fresh.modify(metadata={**metadata, "complete": True})
        client.delete_collection(self.name)
        fresh.modify(name=self.name)

    def _open(self, create: Metadata | None) -> Collection | None:
        from chromadb.errors import NotFoundError

        if create is None and not self.exists:
            return None
        client = self._client()
        try:
            return client.get_collection(self.name, embedding_function=None)
        except NotFoundError:
            pass
        try:
            # A re-embedding that was cut off between its last two steps.
            spare = client.get_collection(f"{self.name}-next", embedding_function=None)
            if (spare.metadata or {}).get("complete"):
                spare.modify(name=self.name)
                return spare
        except NotFoundError:
            pass
        return None if create is None else _create(client, self.name, dict(create))

    def _client(self) -> Client:
        import chromadb
        from chromadb.config import Settings

        if not _USED_BY:
            _USED_BY.append(os.getpid())
        elif _USED_BY[0] != os.getpid():
            raise StorageError(
                f"The knowledge base in {self.where} was in use when this process was forked off",
                hint="start the process with 'spawn' instead of 'fork'",
                location=self.where,
            )
        if self._connection.client is None:
            settings = Settings(anonymized_telemetry=False)
            if self._server:
                client = chromadb.HttpClient(
                    self._server.host, self._server.port, self._server.tls, settings=settings
                )
                for session in _sessions(cast("Client", client)):
                    session.timeout = _TIMEOUT_SECONDS
            else:
                private_folder(self._folder)
                client = chromadb.PersistentClient(self._folder, settings)
            self._connection.client = cast("Client", client)
        return self._connection.client

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except MidasError:
            raise
        except BaseException as error:
            # Chroma's Rust part reports some damage as a panic, which is no Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            self._connection.client = None
            self._connection.generation = ""
            seen = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            if self._server:
                raise StorageError(
                    f"The Chroma server at {self.where} could not be used: {seen}",
                    hint="check that it runs and is version 1.x; without knowledge.url a folder is used",
                    location=self.where,
                ) from error
            if isinstance(error, OSError):
                raise storage_error("use the knowledge base", self.where, error) from error
            full = "disk is full" in seen
            raise StorageError(
                f"The knowledge base in {self.where} could not be used: {seen}",
                hint="free some space, then repeat the command"
                if full
                else f"move {self.where} away and run 'midas-devops knowledge add' again",
                location=self.where,
            ) from error


@dataclass(frozen=True)
class _Server:
    host: str
    port: int
    tls: bool
    project: str

    @classmethod
    def parse(cls, url: str) -> _Server:
        """``http://chroma:8000/orders``: the path names the project, so that several may share a server."""
        parts = urlsplit(url)
        project = parts.path.strip("/").replace("/", "-")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 8000)
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or not port:
            raise ConfigError(
                f"knowledge.url is '{url}', which is no address of a Chroma server",
                hint="write it as http://host:8000 or http://host:8000/project",
                location="knowledge.url",
            )
        return cls(parts.hostname, port, parts.scheme == "https", project)


def _create(client: Client, name: str, metadata: dict[str, str | int | float | bool]) -> Collection:
    return client.get_or_create_collection(
        name, embedding_function=None, metadata=metadata, configuration={"hnsw": {"space": "cosine"}}
    )


def _sessions(client: Client) -> Iterator[httpx.Client]:
    """The connections of a server's client. Chroma 1.5 waits for ever on them, and never closes them."""
    import httpx

    for part in (client, getattr(client, "_admin_client", None)):
        session = getattr(getattr(part, "_server", None), "_session", None)
        if isinstance(session, httpx.Client):
            yield session


def generation_of(collection: Collection) -> str:
    return str((collection.metadata or {}).get("generation", ""))


def all_ids(collection: Collection) -> list[str]:
    return list(collection.get(include=[])["ids"])


def fetch(
    collection: Collection, ids: Sequence[str], *, texts: bool = True
) -> Iterator[tuple[str, Metadata, str]]:
    """(id, metadata, text) of the ids that are there. The text is empty unless asked for."""
    for start in range(0, len(ids), _READ_BATCH):
        batch = list(ids[start : start + _READ_BATCH])
        found = collection.get(ids=batch, include=["metadatas", "documents"] if texts else ["metadatas"])
        documents = found["documents"] or [""] * len(found["ids"])
        for name, metadata, text in zip(found["ids"], found["metadatas"] or [], documents, strict=True):
            yield name, cast("Metadata", metadata), text


def put(
    collection: Collection,
    ids: list[str],
    vectors: Floats,
    texts: list[str],
    metadatas: list[Metadata],
) -> None:
    collection.upsert(
        ids=ids,
        embeddings=vectors,
        documents=texts,
        metadatas=list(metadatas),
    )


def relabel(collection: Collection, metadatas: Mapping[str, Metadata]) -> None:
    """Replace the metadata of rows that stay as they are."""
    ids = list(metadatas)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        collection.update(ids=batch, metadatas=[metadatas[name] for name in batch])


def remove(collection: Collection, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), BATCH):
        collection.delete(ids=list(ids[start : start + BATCH]))


def nearest(
    collection: Collection,
    vector: Floats,
    limit: int,
    *,
    among: Sequence[str] | None = None,
) -> list[str]:
    """Ids by distance, nearest first; equal ones by id. ``among``: only these."""
    found = collection.query(
        query_embeddings=cast("list[Sequence[float]]", [vector]),
        n_results=limit,
        include=["distances"],
        ids=None if among is None else list(among),
    )
    distances = (found["distances"] or [[]])[0]
    ranked = sorted(
        zip(distances, found["ids"][0], strict=True), key=lambda pair: (round(pair[0], 6), pair[1])
    )
    return [name for _, name in ranked]
