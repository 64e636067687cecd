/**
 * The bare peer: a TCP server with the engine's framing that answers each frame with the same bytes, all frames of a chunk
 * in one write; with --ws a WebSocket server, of the library that the engine would use here, that answers each message so. What the load test measures against it is the cost of the client, the kernel and the event loop; a ratio
 * of the engine to it says what the engine adds. Runs as a process of its own:
 *
 *   node dist/tools/bench/echo-server.js [--port 0] [--framing len2] [--header-bytes 0]
 *   holdfast loadtest iso8583+tcp://127.0.0.1:<port> --echo -R 20k
 *
 * Prints `echo ready tcp=<host>:<port>`, or `ws=`, and ends at SIGTERM or SIGINT.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { loadUws, type UwsModule } from '#src/ingress/ws-uws.js';
import { dialect } from '#src/iso8583/dialects.js';
import { FrameReader, type FramingName, frameOverhead, framingNames, writeFrame } from '#src/iso8583/framing.js';

const HOST = '127.0.0.1';
const MESSAGE_BYTES_MAX = 4096;
const UNSENT_BYTES_MAX = 1 << 24;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    framing: { type: 'string', default: 'len2' },
    'header-bytes': { type: 'string', default: '0' },
    ws: { type: 'boolean', default: false },
  },
});
const framing = framingNames.find((name): name is FramingName => name === values.framing);
if (!framing) {
  console.error(`echo-server: --framing '${values.framing}' is not one of ${framingNames.join(', ')}`);
  process.exit(64);
}
const port = Number(values.port);

const stop = values.ws ? serveWebSocket() : serveTcp(framing);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

/** Each of these returns what ends it. */
function serveTcp(name: FramingName): () => void {
  const options = { framing: name, headerBytes: Number(values['header-bytes']), maxBytes: MESSAGE_BYTES_MAX };
  const overhead = frameOverhead(options);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    const reader = new FrameReader(options);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', (error) => console.error(`echo-server: ${error.message}`));
    socket.on('data', (chunk) => {
      // The answers to a chunk are at most as long as the chunk and what was held of an earlier one.
      const out = Buffer.allocUnsafe(chunk.length + reader.pendingBytes);
      let at = 0;
      reader.push(chunk, (buf, start, end, header) => {
        at += writeFrame(options, out, at, end - start, header);
        out.set(buf.subarray(start, end), at);
        at += end - start;
      });
      if (at >= overhead) socket.write(out.subarray(0, at));
    });
  });

  server.listen(port, HOST, () => {
    const { address, port } = server.address() as AddressInfo;
    console.log(`echo ready tcp=${address}:${port}`);
  });
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

function serveWebSocket(): () => void {
  const uws = loadUws();
  return typeof uws === 'string' ? serveWs() : serveUws(uws);
}

function serveUws(uws: UwsModule): () => void {
  const app = uws.App({});
  app.ws('/*', {
    maxPayloadLength: MESSAGE_BYTES_MAX,
    maxBackpressure: UNSENT_BYTES_MAX,
    idleTimeout: 0,
    sendPingsAutomatically: false,
    upgrade: (response, request, context) => {
      const header = (name: string): string => request.getHeader(`sec-websocket-${name}`);
      const data = { dialect: dialect('iso87-bcd'), remote: '', connection: undefined };
      response.upgrade(data, header('key'), header('protocol'), header('extensions'), context);
    },
    open: () => undefined,
    message: (socket, message, binary) => void socket.send(new Uint8Array(message), binary, false),
    drain: () => undefined,
    close: () => undefined,
  });
  app.listen(HOST, port, 0, (token) => console.log(`echo ready ws=${HOST}:${uws.us_socket_local_port(token)}`));
  return () => app.close();
}

function serveWs(): () => void {
  const server = new WebSocketServer({ host: HOST, port, maxPayload: MESSAGE_BYTES_MAX });
  server.on('connection', (socket) => {
    socket.on('error', (error) => console.error(`echo-server: ${error.message}`));
    socket.on('message', (bytes: Buffer, binary) => socket.send(bytes, { binary }));
  });
  server.on('listening', () => console.log(`echo ready ws=${HOST}:${(server.address() as AddressInfo).port}`));
  return () => {
    server.close();
    for (const socket of server.clients) socket.terminate();
  };
}
