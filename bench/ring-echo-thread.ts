/** Echoes ring entries from a thread of its own, the way a shard host waits and answers. */
import { workerData } from 'node:worker_threads';
import { RingConsumer, RingProducer } from '#src/ring/ring.js';
import { Sleeper, Waker } from '#src/ring/wake.js';

const { requests, replies, wake, clientWake } = workerData as Record<string, SharedArrayBuffer>;
const incoming = new RingConsumer(requests!);
const outgoing = new RingProducer(replies!);
const sleeper = new Sleeper(wake!);
const waker = new Waker(clientWake!);
const STOP = 9;

let running = true;
while (running) {
  let handled = 0;
  while (incoming.next()) {
    if (incoming.kind === STOP) running = false;
    const at = incoming.payloadAt;
    const length = incoming.payloadLength;
    const to = outgoing.reserve(length);
    outgoing.bytes.set(incoming.bytes.subarray(at, at + length), to);
    outgoing.commit(incoming.kind, 0, 0, incoming.token, 0, incoming.timeUs, 0, length);
    incoming.consume();
    handled++;
  }
  incoming.release();
  if (handled > 0) waker.signal();
  else if (running) sleeper.block(1000, () => incoming.pendingBytes > 0);
}
