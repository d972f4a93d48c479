"""The client of the HTTP API."""

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
_BATCH = 32  # the service's limit of queries per request
_MANY = 1000  # the service's limit of operations and events per request
_MAX_BYTES = 16 * 2**20  # the service's limit is 28 MB by default


class Client:
    """A client of one service. Thread-safe.

    Every method raises ProblemError if the service returns an error, and UnreachableError if
    there is no response.

    Args:
        url: of the service, such as `https://search.shop.example`.
        key: an API key, if the service requires one.
        timeout_s: timeout for connecting and for each read.
        retries: maximum number of retries if the service is busy (429, 503).
        patience_s: maximum wait before a retry; if `Retry-After` is longer, the error is raised.

    Raises:
        ValueError: the URL has no scheme, or the key contains invalid characters.
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
        """Finds the products that look most like any of the photos, or like `more_like`.

        Raises:
            ValueError: a URL is combined with other photos, which the service does not support.
        """
        if len(photos) > 1 and any(map(is_address, photos)):
            raise ValueError("a URL must be the only photo; send several photos as files")
        if photos and not is_address(photos[0]):
            fields = as_fields(parameters)
            document = self._transport.upload("v1/search", [*map(read, photos)], fields)
        else:
            query = as_json({**parameters, **({"photo": photos[0]} if photos else {})})
            document = self._transport.send("POST", "v1/search", query)
        return self._answer(document)

    def similar(self, product_id: str, **parameters: Unpack[Parameters]) -> Answer:
        """Finds the products that look most like this one, excluding it."""
        path = f"{_path(product_id)}/similar"
        return self._answer(self._transport.get(path, as_fields(parameters)))

    def every(self, *photos: Photo, **parameters: Unpack[Parameters]) -> Iterator[Result]:
        """Yields the results of all pages of a search, fetched as they are read.

        Raises:
            ChangedError: the catalogue changed between two pages; start again.
        """
        held = [photo if is_address(photo) else read(photo) for photo in photos]
        return _pages(lambda page: self.search(*held, **page), parameters)

    def every_similar(self, product_id: str, **parameters: Unpack[Parameters]) -> Iterator[Result]:
        """Yields the results of all pages of `similar`, fetched as they are read.

        Raises:
            ChangedError: the catalogue changed between two pages; start again.
        """
        return _pages(lambda page: self.similar(product_id, **page), parameters)

    def batch(self, queries: Iterable[Query]) -> Iterator[Answer | ProblemError]:
        """Yields the answer or the error of each query, in order; sends up to 32 per request."""
        for some in within(map(as_json, queries), _BATCH, _MAX_BYTES):
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
        """Returns a product as stored."""
        document = self._transport.get(_path(product_id), [("collection", collection)])
        return product_of(document, self._transport.base)

    def products(
        self,
        *,
        filter: Sequence[str] = (),
        collection: str = "default",  # as in HTTP
    ) -> Iterator[Product]:
        """Yields the products that meet all conditions, by product id, fetched as they are read."""
        query = [*as_fields({"filter": filter}), ("collection", collection), ("limit", "200")]
        cursor: list[tuple[str, str]] = []
        while True:
            found = self._transport.get("v1/products", query + cursor)
            for document in found["products"]:
                yield product_of({**document, "collection": collection}, self._transport.base)
            if found["next"] is None:
                return
            cursor = [("cursor", found["next"])]

    def put_product(
        self,
        product_id: str,
        attributes: Mapping[str, Any],
        images: Sequence[Photo],
        *,
        collection: str = "default",
    ) -> Change:
        """Adds or replaces a product. `attributes` are columns of a feed."""
        body = {"attributes": dict(attributes), "images": [*map(as_text, images)]}
        return self._changed("PUT", product_id, body, collection)

    def patch_product(
        self, product_id: str, attributes: Mapping[str, Any], *, collection: str = "default"
    ) -> Change:
        """Changes the given attributes; None removes an attribute."""
        return self._changed("PATCH", product_id, {"attributes": dict(attributes)}, collection)

    def delete_product(self, product_id: str, *, collection: str = "default") -> Change:
        """Removes a product."""
        return self._changed("DELETE", product_id, None, collection)

    def change_products(
        self, operations: Iterable[Operation], *, collection: str = "default"
    ) -> Iterator[Change]:
        """Makes many changes in order; yields their results, of which some may have failed.

        Requests have up to 1,000 operations and, unless a single one is larger, 16 MiB. They are
        sent while the results are read.
        """
        for some in within(map(_with_photos, operations), _MANY, _MAX_BYTES):
            document = self._transport.send(
                "POST", "v1/products/bulk", some, [("collection", collection)]
            )
            yield from changes_of(document)

    def _changed(self, method: str, product_id: str, body: Any, collection: str) -> Change:
        fields = [("collection", collection)]
        return change_of(self._transport.send(method, _path(product_id), body, fields))

    # --- events ---------------------------------------------------------------------------

    def send_event(self, query_id: str, product_id: str, action: Action) -> None:
        """Records a shopper's action on a result."""
        self.send_events([(query_id, product_id, action)])

    def send_events(self, events: Iterable[tuple[str, str, Action]]) -> None:
        """Records events, each a query id, a product id and an action; sends 1,000 per request."""
        names = ("query_id", "product_id", "action")
        for some in batched(events, _MANY):
            body = {"events": [dict(zip(names, event, strict=True)) for event in some]}
            self._transport.send("POST", "v1/events", body)


def _path(product_id: str) -> str:
    encoded = quote(product_id, safe="")
    # An id of dots only would be resolved as a relative path.
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
