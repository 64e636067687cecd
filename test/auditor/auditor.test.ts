/** The auditor agrees with a real shard host, and objects to every falsified observation. */
import { expect, test } from 'vitest';
import { Auditor } from '../sim/auditor/auditor.js';
import { AuditFailure } from '../sim/observation.js';
import { Traffic } from './traffic.js';
import { type Told, tellAll } from './world.js';

function audit(told: readonly Told[]): Auditor {
  const auditor = new Auditor();
  try {
    tellAll(told, auditor);
  } catch (error) {
    if (error instanceof AuditFailure) error.message += `\n${JSON.stringify(error.evidence)}`;
    throw error;
  }
  return auditor;
}

test('agrees with a real shard host over random traffic', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const world = new Traffic(seed).run(200);
    try {
      const auditor = audit(world.told);
      expect(auditor.answers).toBeGreaterThan(100);
    } catch (error) {
      (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
  }
});
