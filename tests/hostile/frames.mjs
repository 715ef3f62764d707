// A server on Node's strict HTTP/1 parser that answers each request with how it was read: X-Seen is method, target and body in
// hexadecimal, with dots between. The counterpart of `edge_echo PORT frames`.
//
// A stream is read whole and then handed to the parser byte by byte. Given at once, an error in its last request would take the
// answers to the first ones along, and nobody would know how those were read.
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { Duplex } from "node:stream";

const hex = (text) => Buffer.from(text, "latin1").toString("hex");

const parser = createServer({ insecureHTTPParser: false, requireHostHeader: true }, (request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    response.setHeader("X-Seen", `${hex(request.method)}.${hex(request.url)}.${Buffer.concat(pieces).toString("hex")}`);
    response.end();
  });
});

function feed(stream, socket) {
  const connection = new Duplex({
    read() {},
    write(piece, _encoding, done) {
      if (socket.writable) socket.write(piece);
      done();
    },
  });
  connection.on("close", () => socket.end());
  connection.on("error", () => socket.end());
  parser.emit("connection", connection);
  let at = 0;
  const next = () => {
    if (connection.destroyed) return;
    if (at === stream.length) {
      connection.push(null);
      return;
    }
    connection.push(stream.subarray(at, ++at));
    setImmediate(next);
  };
  next();
}

createSocketServer({ allowHalfOpen: true }, (socket) => {
  const pieces = [];
  socket.on("data", (piece) => pieces.push(piece));
  socket.on("end", () => feed(Buffer.concat(pieces), socket));
  socket.on("error", () => socket.destroy());
}).listen(Number(process.argv[2]), "127.0.0.1");
