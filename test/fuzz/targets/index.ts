/** All targets by name. Loaded one by one, so that a run of one target does not load the sources of all. */
import type { FuzzTarget } from '../target.js';

const modules: Readonly<Record<string, () => Promise<{ readonly targets: readonly FuzzTarget[] }>>> = {
  iso8583: () => import('./iso8583.js'),
  'iso8583-npm': () => import('./iso8583-npm.js'),
  framing: () => import('./framing.js'),
  'private-data': () => import('./private-data.js'),
  clearing: () => import('./clearing.js'),
  rules: () => import('./rules.js'),
  journal: () => import('./journal.js'),
  'issuer-json': () => import('./issuer-json.js'),
  config: () => import('./config.js'),
  api: () => import('./api.js'),
  ndjson: () => import('./ndjson.js'),
  websocket: () => import('./websocket.js'),
};

/** Targets with a defect that was put in on purpose: a run of them must end with a finding, or the fuzzer is blind. */
const canaries = 'canary';

/** @param wanted names, all but the canaries when undefined @throws Error for a name that is none */
export async function loadTargets(wanted?: readonly string[]): Promise<FuzzTarget[]> {
  const all: FuzzTarget[] = [];
  if (wanted?.some((name) => name.startsWith(canaries)) === true) all.push(...(await import('./canaries.js')).targets);
  for (const [prefix, load] of Object.entries(modules)) {
    if (wanted !== undefined && !wanted.some((name) => name.startsWith(prefix) || prefix.startsWith(name))) continue;
    all.push(...(await load()).targets);
  }
  if (wanted === undefined) return all;
  return wanted.flatMap((name) => {
    const found = all.filter((target) => target.name === name || target.name.startsWith(`${name}-`));
    if (found.length === 0) throw new Error(`there is no target ${name}; there are ${Object.keys(modules).join(', ')}`);
    return found;
  });
}
