"""What a Qdrant server answers to the requests of `QdrantIndex`, over real HTTP.

Behind it is the client library's own engine. `make test-qdrant` asks a real server.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from qdrant_client import QdrantClient, models


class Server(ThreadingHTTPServer):
    """`seen` holds every request; `faults` what happens to the next ones to a path: a status of
    HTTP, or "cut" for no answer at all. Only the first 429 says when to come again."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.client, self.lock = QdrantClient(":memory:"), threading.Lock()
        self.seen, self.faults, self.keys, self.busy = [], {}, [], False
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0].strip("/")
        _, _, what = path.partition("/")
        name, _, what = what.partition("/")
        request = (self.command, what)
        with self.server.lock:
            self.server.seen.append((*request, json.loads(body or "null")))
            self.server.keys.append(self.headers.get("api-key"))
            faults = self.server.faults.get(request, [])
            fault = faults.pop(0) if faults else 200
            if fault == "cut":
                self.close_connection = True
                return
            result = None
            if fault == 200 and not path:
                return self.send(200, {"title": "", "version": version("qdrant-client")})
            if fault == 200:
                result = reply(self.server.client, name, request, json.loads(body or "null"))
        self.send(fault, {"result": result, "status": "ok", "time": 0})

    do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815, the library's names

    def send(self, status, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 429 and not self.server.busy:
            self.send_header("Retry-After", "0")
            self.server.busy = True
        self.end_headers()
        self.wfile.write(data)


def reply(client, name, request, body):
    done = {"operation_id": 0, "status": "completed"}
    match request:
        case ("GET", "exists"):
            return {"exists": client.collection_exists(name)}
        case ("GET", ""):
            return plain(client.get_collection(name))
        case ("PUT", ""):
            vectors = models.VectorParams(**body["vectors"])
            return client.create_collection(name, vectors, metadata=body["metadata"])
        case ("DELETE", ""):
            return client.delete_collection(name)
        case ("PUT", "index"):
            client.create_payload_index(name, body["field_name"], body["field_schema"])
        case ("PUT", "points"):
            client.upsert(name, models.Batch(**body["batch"]))
        case ("POST", "points/delete"):
            client.delete(name, body["points"])
        case ("POST", "points"):
            found = client.retrieve(name, body["ids"], body["with_payload"], body["with_vector"])
            return [plain(point) for point in found]
        case ("POST", "points/count"):
            asked = models.CountRequest(**body)
            return plain(client.count(name, asked.filter, exact=True))
        case ("POST", "points/query/batch"):
            asked = [models.QueryRequest(**search) for search in body["searches"]]
            return [plain(answer) for answer in client.query_batch_points(name, asked)]
        case ("POST", "points/scroll"):
            points, offset = client.scroll(
                name,
                limit=body["limit"],
                offset=body.get("offset"),
                with_payload=body["with_payload"],
                with_vectors=body["with_vector"],
            )
            return {"points": [plain(p) for p in points], "next_page_offset": offset}
    return done


def plain(model):
    return json.loads(model.model_dump_json())
