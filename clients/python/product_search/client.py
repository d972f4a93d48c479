"""The client."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack
from urllib.parse import quote

from product_search.answers import (
    Answer,
    Change,
    Product,
    Result,
    answer_of,
    change_of,
    changes_of,
    product_of,
)
from product_search.errors import ChangedError, ProblemError
from product_search.queries import (
    Action,
    Operation,
    Parameters,
    Photo,
    Query,
    as_fields,
    as_json,
    as_text,
    batched,
    is_address,
    read,
    within,
)
from product_search.transport import Transport

_PAGE = 100  # results per request, when all are wanted
_BATCH = 32  # what the service takes at once
_MANY = 1000
_MOST_BYTES = 16 * 2**20  # the service takes 28 MB, if it is set as it comes


class Client:
    """Asks one service. Any number of threads may use one object.

    Every method raises ProblemError if the service refuses, UnreachableError if nothing comes.

    Args:
        url: of the service, `https://search.shop.example`.
        key: an API key, if the service takes one.
        timeout_s: for connecting, and for each wait for bytes.
        retries: how often to ask again a service that is busy (429, 503).
        patience_s: the longest wait before that; if the service asks for more, the error is raised.

    Raises:
        ValueError: the URL has no scheme, or the key has characters that no key has.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 30,
        retries: int = 3,
        patience_s: float = 10,
    ) -> None:
        self._transport = Transport(url, key, timeout_s, retries, patience_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    # --- searching ------------------------------------------------------------------------

    def search(self, *photos: Photo, **parameters: Unpack[Parameters]) -> Answer:
        """The products that look most like any of the photos, or like `more_like`.

        Raises:
            ValueError: several photos, one of which is an address: the service takes one address
                and nothing beside it.
        """
        if len(photos) > 1 and any(map(is_address, photos)):
            raise ValueError("an address must be the only photo; send the others as files")
        if photos and not is_address(photos[0]):
            fields = as_fields(parameters)
            document = self._transport.upload("v1/search", [*map(read, photos)], fields)
        else:
            query = as_json({**parameters, **({"photo": photos[0]} if photos else {})})
            document = self._transport.send("POST", "v1/search", query)
        return self._answer(document)

    def similar(self, product_id: str, **parameters: Unpack[Parameters]) -> Answer:
        """The products that look most like this one, itself excluded."""
        path = f"{_path(product_id)}/similar"
        return self._answer(self._transport.get(path, as_fields(parameters)))

    def every(self, *photos: Photo, **parameters: Unpack[Parameters]) -> Iterator[Result]:
        """The results of all pages of a search, fetched as they are read.

        Raises:
            ChangedError: the catalogue changed between two pages; start again.
        """
        held = [photo if is_address(photo) else read(photo) for photo in photos]
        return _pages(lambda page: self.search(*held, **page), parameters)

    def every_similar(self, product_id: str, **parameters: Unpack[Parameters]) -> Iterator[Result]:
        """As `every`, of `similar`."""
        return _pages(lambda page: self.similar(product_id, **page), parameters)

    def batch(self, queries: Iterable[Query]) -> Iterator[Answer | ProblemError]:
        """The answer, or the error, of each query in their order; sent 32 at a time at most."""
        for some in within(map(as_json, queries), _BATCH, _MOST_BYTES):
            sent = self._transport.send("POST", "v1/search/batch", {"queries": some})
            for document in sent["answers"]:
                if "results" in document:
                    yield self._answer(document)
                else:
                    yield ProblemError.of(document["status"], document)

    def _answer(self, document: Mapping[str, Any]) -> Answer:
        return answer_of(document, self._transport.base)

    # --- products -------------------------------------------------------------------------

    def product(self, product_id: str, *, collection: str = "default") -> Product:
        """A product as stored."""
        document = self._transport.get(_path(product_id), [("collection", collection)])
        return product_of(document, self._transport.base)

    def put_product(
        self,
        product_id: str,
        attributes: Mapping[str, Any],
        images: Sequence[Photo],
        *,
        collection: str = "default",
    ) -> Change:
        """Adds a product, or replaces it whole. `attributes` are columns of a feed."""
        body = {"attributes": dict(attributes), "images": [*map(as_text, images)]}
        return self._changed("PUT", product_id, body, collection)

    def patch_product(
        self, product_id: str, attributes: Mapping[str, Any], *, collection: str = "default"
    ) -> Change:
        """Changes the attributes that are named; None removes one."""
        return self._changed("PATCH", product_id, {"attributes": dict(attributes)}, collection)

    def delete_product(self, product_id: str, *, collection: str = "default") -> Change:
        return self._changed("DELETE", product_id, None, collection)

    def change_products(
        self, operations: Iterable[Operation], *, collection: str = "default"
    ) -> Iterator[Change]:
        """Many changes in their order; look for those whose outcome is `failed`.

        They are sent in requests of at most 1,000 operations and, unless one alone is larger, of
        16 MiB.

        Nothing is sent before the changes are read from what this returns.
        """
        for some in within(map(_with_photos, operations), _MANY, _MOST_BYTES):
            document = self._transport.send(
                "POST", "v1/products/bulk", some, [("collection", collection)]
            )
            yield from changes_of(document)

    def _changed(self, method: str, product_id: str, body: Any, collection: str) -> Change:
        fields = [("collection", collection)]
        return change_of(self._transport.send(method, _path(product_id), body, fields))

    # --- events ---------------------------------------------------------------------------

    def send_event(self, query_id: str, product_id: str, action: Action) -> None:
        """What a shopper did with a result."""
        self.send_events([(query_id, product_id, action)])

    def send_events(self, events: Iterable[tuple[str, str, Action]]) -> None:
        """Query id, product id and action of each, 1,000 at a time."""
        names = ("query_id", "product_id", "action")
        for some in batched(events, _MANY):
            body = {"events": [dict(zip(names, event, strict=True)) for event in some]}
            self._transport.send("POST", "v1/events", body)


def _path(product_id: str) -> str:
    encoded = quote(product_id, safe="")
    # A name of dots alone would lead to another path.
    return f"v1/products/{encoded if encoded.strip('.') else encoded.replace('.', '%2E')}"


def _pages(ask: Callable[[Parameters], Answer], parameters: Parameters) -> Iterator[Result]:
    offset = parameters.get("offset", 0)
    first: int | None = None
    while True:
        page: Parameters = {"limit": _PAGE, **parameters, "offset": offset}
        answer = ask(page)
        first = answer.seq if first is None else first
        if answer.seq != first:
            raise ChangedError(first, answer.seq)
        yield from answer.results
        offset += len(answer.results)
        if not answer.results or offset >= answer.total:
            return


def _with_photos(operation: Operation) -> dict[str, Any]:
    body: dict[str, Any] = {**operation}
    if "images" in body:
        body["images"] = [*map(as_text, body["images"])]
    return body
