"""What goes over the wire, as the OpenAPI page shows it."""

from pydantic import Base64Bytes, BaseModel, Field

# The smallest picture there is to send: one grey pixel.
EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


class Problem(BaseModel):
    """What went wrong, in a sentence."""

    detail: str


class Query(BaseModel):
    """A picture, and how many answers are wanted."""

    image: Base64Bytes = Field(description="The file in base64", examples=[EXAMPLE])
    k: int = Field(10, ge=1, strict=True, description="How many answers", examples=[10])


class Results(BaseModel):
    """The nearest pictures of the gallery, nearest first."""

    results: dict[str, float] = Field(
        description="Addresses, and Euclidean distances of embeddings: 0 for the picture itself",
        examples=[{"http://127.0.0.1:8000/images/tiger-noto-8c1fd2a09be47d63": 0.0}],
    )


class Kept(BaseModel):
    """A picture of the gallery."""

    id: str = Field(examples=["8c1fd2a09be47d63"])
    url: str = Field(examples=["http://127.0.0.1:8000/images/8c1fd2a09be47d63"])


class Health(BaseModel):
    status: str = Field(examples=["ok"])
    pictures: int = Field(examples=[3256])


PROBLEMS = {
    400: "A form that is none",
    408: "Not here in time",
    413: "Too many bytes, or too many pixels",
    415: "Neither JSON nor a form",
    422: "Not a picture, or not what was expected around it",
    503: "Busy, or an index that does not answer; ask again",
}
LOCKED = {401: "No token, or another one", 403: "Changing the gallery is switched off"}


def problems(*, locked: bool = False, more: dict[int, str] | None = None) -> dict:
    """For a route's `responses`."""
    told = PROBLEMS | (LOCKED if locked else {}) | (more or {})
    return {code: {"model": Problem, "description": text} for code, text in told.items()}


def body(*fields: str) -> dict:
    """For a route's `openapi_extra`: these fields of a query, as JSON or as a form with a file."""
    schema = Query.model_json_schema()["properties"]
    known = {name: schema[name] for name in fields}
    form = known | {"image": {"type": "string", "format": "binary", "description": "The file"}}
    content = {
        kind: {"schema": {"type": "object", "required": ["image"], "properties": properties}}
        for kind, properties in (("application/json", known), ("multipart/form-data", form))
    }
    return {"requestBody": {"required": True, "content": content}}
