"""What whoever runs the service may choose, by environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Settings:
    """All defaults are the careful choice.

    Attributes
    ----------
    token : who knows it may add and remove pictures; "" for nobody.
    address : where others reach the service, such as "https://pictures.example/"; by default what
        the request says.
    origins : other sites whose pages may call the service ("*" for all); none by default.
    bucket : pictures lie in this S3 bucket; "" for the gallery's own folder.
    pictures_address : where browsers reach that bucket's pictures; by default through the service.
    qdrant_url : of a Qdrant server that has the index; "" for the gallery's own file.
    collection : its name there; "" for that of the gallery's folder.
    max_bytes : of a picture that is sent. max_pixels : of it decoded.
    queue : pictures received, waited for or looked at, at a time; further ones are answered 503.
    read_seconds : a request has to be there whole within them.
    max_results : answers to a query, however large its k.
    """

    token: str = ""
    address: str = ""
    origins: tuple[str, ...] = ()
    bucket: str = ""
    pictures_address: str = ""
    qdrant_url: str = ""
    collection: str = ""
    max_bytes: int = 10 * MEGABYTE
    max_pixels: int = 50 * MEGABYTE
    queue: int = 32
    read_seconds: float = 20.0
    max_results: int = 100

    @property
    def max_body(self) -> int:
        """Of a request: a picture in base64, and a little around it."""
        return self.max_bytes * 4 // 3 + 10_000

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """LOOKALIKE_TOKEN, _ADDRESS, _ORIGINS (by commas), _BUCKET, _PICTURES_ADDRESS,
        _COLLECTION, _MAX_MEGABYTES, and QDRANT_URL.

        Raises ValueError for a number that is none.
        """

        def get(name: str, default: str = "") -> str:
            return environment.get(f"LOOKALIKE_{name}", default).strip()

        megabytes = get("MAX_MEGABYTES", "10")
        if not megabytes.isdecimal() or int(megabytes) < 1:
            raise ValueError(
                f"LOOKALIKE_MAX_MEGABYTES must be a whole number from 1, not {megabytes!r}."
            )
        return cls(
            token=get("TOKEN"),
            address=get("ADDRESS"),
            origins=tuple(filter(None, map(str.strip, get("ORIGINS").split(",")))),
            bucket=get("BUCKET"),
            pictures_address=get("PICTURES_ADDRESS"),
            qdrant_url=environment.get("QDRANT_URL", "").strip(),
            collection=get("COLLECTION"),
            max_bytes=int(megabytes) * MEGABYTE,
        )
