/** Entry of `npm run sim`. */
import { runSeed } from './run.js';

const seed = Number(process.argv[2] ?? 1);
const count = Number(process.argv[3] ?? 1);
const seconds = Number(process.argv[4] ?? 300);
const calm = process.argv[5] === 'calm';
for (let i = 0; i < count; i++) {
  const r = await runSeed(seed + i, {
    seconds,
    calm,
    ...(count === 1 && process.argv.includes('-v') ? { onLine: (l: string) => console.log(l) } : {}),
  });
  console.log(
    seed + i,
    r.traceHash.slice(0, 12),
    r.realSeconds.toFixed(2),
    JSON.stringify(r.stats),
    r.failure?.message ?? '',
  );
  if (r.failure) {
    console.log(r.failure.stack.slice(0, 1500), JSON.stringify(r.failure.evidence).slice(0, 1500));
    console.log(r.lastLines.slice(-25).join('\n').slice(0, 5000));
  }
}
