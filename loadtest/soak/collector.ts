/**
 * Loaded into the server of a soak (`node --expose-gc --import`), in each of its threads: collects the garbage in full every
 * COLLECT_MS, so that a heap is what is reachable, and what came in so long.
 */
const COLLECT_MS = 5000;

const collect = globalThis.gc;
if (collect === undefined) throw new Error('the collector needs node --expose-gc');
setInterval(() => void collect(), COLLECT_MS).unref();

// A shard thread comes to no timer of its event loop. It collects before it sleeps.
let dueMs = performance.now() + COLLECT_MS;
Atomics.wait = new Proxy(Atomics.wait, {
  apply(wait, self, args) {
    const nowMs = performance.now();
    if (nowMs >= dueMs) {
      dueMs = nowMs + COLLECT_MS;
      collect();
    }
    return Reflect.apply(wait, self, args) as unknown;
  },
});
