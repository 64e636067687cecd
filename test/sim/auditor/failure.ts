/** What the auditor objects to. */
import { AuditFailure } from '../observation.js';

/** The promises that are audited; each failure names one (docs/internals/simulation.md). */
export type Rule =
  | 'frame'
  | 'record'
  | 'reply before durable'
  | 'acknowledged and lost'
  | 'unsent message'
  | 'decision'
  | 'repeat with an effect'
  | 'available overdrawn'
  | 'approval code'
  | 'reply'
  | 'books'
  | 'entry key'
  | 'holds'
  | 'expiry'
  | 'roll-back'
  | 'clearing'
  | 'velocity'
  | 'totals'
  | 'time'
  | 'command'
  | 'state'
  | 'secret';

/** @throws AuditFailure always: the rule, what is wrong, and the data that shows it */
export function fail(rule: Rule, what: string, evidence: Readonly<Record<string, unknown>> = {}): never {
  throw new AuditFailure(`${rule}: ${what}`, evidence);
}

/** Fails when two values differ, telling both. */
export function same(
  rule: Rule,
  what: string,
  engine: unknown,
  expected: unknown,
  evidence: () => Readonly<Record<string, unknown>>,
): void {
  if (Object.is(engine, expected)) return;
  const [a, b] = [JSON.stringify(engine), JSON.stringify(expected)];
  if (a !== b) fail(rule, what, { engine, expected, ...evidence() });
}
