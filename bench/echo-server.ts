/**
 * The bare peer: a TCP server with the engine's framing that answers each frame with the same bytes, all frames of a chunk
 * in one write. What the load test measures against it is the cost of the client, the kernel and the event loop; a ratio
 * of the engine to it says what the engine adds. Runs as a process of its own:
 *
 *   node dist/tools/bench/echo-server.js [--port 0] [--framing len2] [--header-bytes 0]
 *   holdfast loadtest iso8583+tcp://127.0.0.1:<port> --echo -R 20k
 *
 * Prints `echo ready tcp=<host>:<port>` and ends at SIGTERM or SIGINT.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { FrameReader, type FramingName, frameOverhead, framingNames, writeFrame } from '#src/iso8583/framing.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    framing: { type: 'string', default: 'len2' },
    'header-bytes': { type: 'string', default: '0' },
  },
});
const framing = framingNames.find((name): name is FramingName => name === values.framing);
if (!framing) {
  console.error(`echo-server: --framing '${values.framing}' is not one of ${framingNames.join(', ')}`);
  process.exit(64);
}
const options = { framing, headerBytes: Number(values['header-bytes']), maxBytes: 4096 };
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

server.listen(Number(values.port), '127.0.0.1', () => {
  const { address, port } = server.address() as AddressInfo;
  console.log(`echo ready tcp=${address}:${port}`);
});

const stop = () => {
  server.close();
  for (const socket of sockets) socket.destroy();
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
