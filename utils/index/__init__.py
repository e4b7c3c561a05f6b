"""A gallery that can be searched, grow, shrink, and be kept in a file."""

from utils.index.exact import ExactIndex
from utils.index.faiss_index import FaissIndex
from utils.index.protocol import Index, Where
from utils.index.qdrant_index import QdrantIndex

__all__ = ["ExactIndex", "FaissIndex", "Index", "QdrantIndex", "Where"]
