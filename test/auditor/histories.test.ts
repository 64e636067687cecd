/** The auditor agrees with the engine over random histories that were decided in memory. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Player } from '../domain/histories.js';
import { operationOf, type Weights } from '../domain/operations.js';
import { Books } from '../sim/auditor/books.js';
import { ShardAudit } from '../sim/auditor/shard-audit.js';
import { AuditFailure } from '../sim/observation.js';
import { long } from '../support/long.js';
import { drawnFrom } from '../support/sim-seed.js';
import { framesOf } from './frames.js';

function audited(player: Player): ShardAudit {
  const audit = new ShardAudit(0, new Books());
  try {
    for (const frame of framesOf(player.book.history.events)) audit.take(frame);
  } catch (error) {
    if (!(error instanceof AuditFailure)) throw error;
    throw new Error(`${error.message}\n${JSON.stringify(error.evidence)}\n${player.transcript}`);
  }
  return audit;
}

const SUBJECTS: Record<string, Weights> = {
  everything: {},
  'windows and clocks': { purchase: 20, request: 6, controls: 6, limits: 0, pause: 5, clocks: 2, wait: 1, list: 0 },
  'programs and rules': { purchase: 30, request: 12, program: 6, change: 8, limits: 6, controls: 2, list: 0, card: 0 },
  'shipments, reversals, roll-backs': { purchase: 15, ship: 15, unship: 8, advise: 15, reverse: 15, undelivered: 4 },
  'tokens and replacements': { purchase: 25, token: 4, replace: 3, card: 4, list: 4, account: 2, limits: 3, sweep: 1 },
  'ends of holds': { purchase: 20, request: 4, sweep: 8, reverse: 8, change: 4, undelivered: 2, wait: 1 },
};

for (const [subject, focus] of Object.entries(SUBJECTS)) {
  test(`agrees with every record of random histories of ${subject}`, { timeout: 300_000 * long }, () => {
    const history = fc.array(operationOf(focus), { maxLength: 60, size: 'max' });
    fc.assert(
      fc.property(history, (ops) => {
        const player = new Player();
        player.play(ops);
        const audit = audited(player);
        expect(audit.chain.sequence).toBe(player.book.history.events.length);
      }),
      { numRuns: 8 * long, ...drawnFrom },
    );
  });
}
