"""The settings of the HTTP service and of access to it."""

from typing import Annotated, Literal

from pydantic import Field

from indexer.config.section import COMMA_SEPARATED, HostName, Section

RateLimit = Annotated[
    str,
    Field(
        pattern=r"^[1-9]\d{0,8}/(second|minute|hour|day)$",
        examples=["600/minute", "20/second"],
    ),
]
Origin = Annotated[
    str,
    Field(
        pattern=r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$",
        examples=["https://shop.example", "http://localhost:3000"],
    ),
]


class ServiceSettings(Section):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 chooses a free one.")
    workers: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = Field(
        "auto",
        description="Worker processes, which each load the model. `auto`: one per core, if half of"
        " the memory is enough for them, at 1.5 GiB each with TensorFlow and 640 MiB with"
        " OpenVINO.",
    )
    max_in_flight: int = Field(
        12,
        ge=1,
        le=256,
        description="Maximum concurrent photo searches per process. Searches by product are refused"
        " while twice as many of both kinds are in progress. In addition: a quarter of this for"
        " box=auto and explanations, a third for changes of products. Excess requests get 503. The"
        " process has four times as many threads.",
    )
    max_wait_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Maximum estimated wait for the model in seconds. If the queue is longer, a"
        " photo gets 503 at once.",
    )
    deadline_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Photos still queued after this many seconds get 503.",
    )
    upload_timeout_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds that a client may pause while sending a request body or receiving a"
        " response. Over a longer time its average must exceed 16 KiB per second.",
    )
    cached_photos: int = Field(
        10_000,
        ge=0,
        le=10_000_000,
        description="Number of query photos whose vectors each process caches, 2 KB each, so that"
        " a repeated photo is not embedded again.",
    )
    thumbnails_mib: int = Field(
        2048,
        ge=0,
        description="Size in MiB of the cache of thumbnails in storage.data_dir/.thumbnails, about"
        " 10 KB each. When it is full, those unused for longest are deleted. 0 disables the cache.",
    )
    drain_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Seconds after SIGTERM during which connections are still accepted; /readyz"
        " returns 503 from the start.",
    )
    timeout_s: int = Field(
        25, ge=1, le=3600, description="Seconds that a stopping process waits for open requests."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="One JSON object per line, or plain text."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level; `info` includes one line for each request."
    )
    image_url_hosts: Annotated[list[HostName], COMMA_SEPARATED] = Field(
        [],
        description="Hosts from which queries may use photos by URL (`image_url`). An empty list"
        " disables it. Private hosts must also be in fetch.allowed_hosts.",
    )


class AccessSettings(Section):
    """Access to the service, and rate limits."""

    open: bool = Field(
        False,
        description="Allow searching and reporting events without a key, also when the service is"
        " reachable from other machines. Changing products always requires an admin key.",
    )
    rate_limit_per_key: Literal["none"] | RateLimit = Field(
        "none",
        description="Rate limit for one key; excess requests get 429.",
    )
    rate_limit_per_address: Literal["none"] | RateLimit = Field(
        "none",
        description="Rate limit for one client address (IPv6: one /64 network). Photos, the search"
        " page and health checks are not counted.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Number of proxies in front of the service that append the client's address"
        " to X-Forwarded-For; 0 ignores the header.",
    )
    cors_origins: Annotated[list[Origin], COMMA_SEPARATED] = Field(
        [],
        description="Origins whose web pages may call the service from a browser.",
    )
