"""Settings of the backend `milvus`."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from indexer.config.section import Section
from indexer.validation import Matching


def _parameters(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [pair.partition("=") for pair in re.findall(r"[^,\s]+", value)]
    return {name: number for name, _, number in pairs}


Parameters = Annotated[
    dict[str, int],
    BeforeValidator(_parameters),
    Field(examples=["M=32,efConstruction=360"]),
]
Prefix = Annotated[
    str,
    Matching(
        r"^[a-z][a-z0-9]{0,30}$", "up to 31 lower-case letters and digits, starting with a letter"
    ),
]


class MilvusSettings(Section):
    """The Milvus server of `index.backend: milvus`."""

    uri: str = Field(
        "http://localhost:19530",
        description="Address of a server; `https` uses TLS. A file whose name ends in `.db`"
        " uses milvus-lite, for one process.",
    )
    token: str = Field(
        "",
        repr=False,
        description="`user:password` or an API key. Set the variable, not the file.",
    )
    database: str = Field("default", description="Name of the Milvus database.")
    prefix: Prefix = Field("products", description="Start of the names of all Milvus collections.")
    ca_file: Path | Literal["none"] = Field(
        "none", description="Certificates (PEM) that sign the server's; `none`: those of gRPC."
    )
    client_cert: Path | Literal["none"] = Field(
        "none", description="Certificate of this client (PEM), for mutual TLS."
    )
    client_key: Path | Literal["none"] = Field("none", description="Its private key (PEM).")
    timeout_s: float = Field(
        5,
        gt=0,
        le=600,
        description="Time limit in seconds for a call of Milvus and its retries.",
    )
    lease_s: float = Field(
        15,
        gt=0,
        le=600,
        description="Seconds after which another machine may write if a writer has died. The clocks"
        " of the machines must agree to a third of it.",
    )
    consistency: Literal["session", "strong"] = Field(
        "session",
        description="`session`: a search sees what its process wrote, and what others wrote within"
        " a second; `strong`: it also waits for all writes before it, about 0.2 s.",
    )
    index_type: Literal["AUTOINDEX", "FLAT", "HNSW", "IVF_FLAT", "DISKANN"] = Field(
        "AUTOINDEX",
        description="Index of the vectors; applies from the next `rebuild`. Types that store"
        " compressed vectors only are not offered, because their scores are not exact.",
    )
    index_params: Parameters = Field(
        {}, description="Parameters of the index type, such as `M=32,efConstruction=360` for HNSW."
    )
    search_params: Parameters = Field(
        {},
        description="Parameters of searches, such as `ef=128` for HNSW or `nprobe=32` for"
        " IVF_FLAT.",
    )
    replicas: int = Field(
        1, ge=1, le=64, description="Copies of the data in the memory of query nodes."
    )
