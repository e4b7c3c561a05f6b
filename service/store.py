"""Where the pictures themselves lie: a folder, or an S3 bucket."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from service.pictures import MEDIA_TYPE
from utils import writing


class Store(Protocol):
    """Files by id. What `put` has returned from is there after a power cut."""

    def put(self, id: str, data: bytes) -> None: ...
    def get(self, id: str) -> bytes: ...  # KeyError where there is none
    def delete(self, id: str) -> None: ...  # KeyError where there is none
    def url(self, id: str) -> str: ...  # as seen from the service's own address


class LocalStore:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}.webp"

    def put(self, id: str, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with writing(self._path(id)) as file:
            file.write(data)
        self._sync()

    def get(self, id: str) -> bytes:
        try:
            return self._path(id).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(id) from error

    def delete(self, id: str) -> None:
        try:
            self._path(id).unlink()
        except FileNotFoundError as error:
            raise KeyError(id) from error
        self._sync()

    def _sync(self) -> None:
        """A file's name is kept in its folder, which has to reach the disk as well."""
        if os.name == "posix":  # elsewhere a folder cannot be opened
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    def url(self, id: str) -> str:
        return f"images/{id}"


class S3Store:
    """Objects in a bucket of S3, or of whatever speaks its language.

    Parameters
    ----------
    bucket : its name; it has to exist. address : where browsers find its pictures, such as that of
        a CloudFront distribution; by default the service passes them on.
    client : a boto3 client; by default from the environment (AWS_REGION, AWS_ENDPOINT_URL_S3, …).
    """

    def __init__(self, bucket: str, address: str = "", client: Any = None) -> None:
        self.bucket, self.address = bucket, address.rstrip("/")
        self._given = client

    @cached_property
    def _client(self) -> Any:  # late: on Lambda only addresses are wanted, and this takes a second
        import boto3

        return self._given or boto3.client("s3")

    def _object(self, id: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"images/{id}"}

    def put(self, id: str, data: bytes) -> None:
        with _reached(id):
            self._client.put_object(**self._object(id), Body=data, ContentType=MEDIA_TYPE)

    def get(self, id: str) -> bytes:
        with _reached(id):
            return self._client.get_object(**self._object(id))["Body"].read()

    def delete(self, id: str) -> None:
        with _reached(id):  # deleting alone answers the same whether or not there was anything
            self._client.head_object(**self._object(id))
            self._client.delete_object(**self._object(id))

    def url(self, id: str) -> str:
        return f"{self.address}/images/{id}" if self.address else f"images/{id}"


@contextmanager
def _reached(id: str) -> Iterator[None]:
    """botocore's errors as KeyError, for no such picture, or else as ConnectionError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        told = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        if told in ("NoSuchKey", "404"):
            raise KeyError(id) from error
        raise ConnectionError(
            f"The pictures' bucket does not answer as it should: {error}"
        ) from error
