/** The auditor agrees with the engine over random messages and clearing records. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { operation, Run } from '../domain/clearing-run.js';
import { Books } from '../sim/auditor/books.js';
import { ShardAudit } from '../sim/auditor/shard-audit.js';
import { AuditFailure } from '../sim/observation.js';
import { long } from '../support/long.js';
import { drawnFrom } from '../support/sim-seed.js';
import { framesOf } from './frames.js';

test('agrees with every record of random messages and clearing records', { timeout: 300_000 * long }, () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (ops) => {
      const run = new Run();
      for (const op of ops) run.play(op);
      const audit = new ShardAudit(0, new Books());
      const { events } = run.book.history;
      try {
        for (const frame of framesOf(events)) audit.take(frame);
      } catch (error) {
        if (!(error instanceof AuditFailure)) throw error;
        const shown = ops.map((op) => JSON.stringify(op)).join('\n');
        throw new Error(`${error.message}\n${JSON.stringify(error.evidence)}\n${shown}`);
      }
      expect(audit.chain.sequence).toBe(events.length);
      const [account] = audit.accounts;
      const { balances } = audit.model;
      const { accounts } = run.book.state;
      const held = [balances.posted(account!.model), balances.held(account!.model)];
      expect(held).toEqual([accounts.posted(0), accounts.held(0)]);
    }),
    { numRuns: 25 * long, ...drawnFrom },
  );
});
