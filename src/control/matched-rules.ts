/**
 * What the rules said about a message, by its record: which matched, and which of them declined. The record has them by their
 * places in the snapshot that decided; the stored revision of the program says which rules stood there, in which version.
 */
import { Reason } from '../domain/codes.js';
import type { MessageEvent } from '../domain/events.js';
import type { ControlContext } from './context.js';
import { checkedRule } from './rule-check.js';
import type { RulePlace } from './system-state.js';
import { codeName } from './views.js';

/** True when the rule at a place matched the message. */
export function hasMatched({ rulesAsked, ruleBits }: MessageEvent, place: number): boolean {
  return place < rulesAsked && ((ruleBits[place >> 3]! >> (place & 7)) & 1) === 1;
}

/**
 * Why a message was declined: of a rule's decline the rule's own reason. null when it was not.
 * @param program id of the account's program, undefined without an account
 */
export function declineReason(
  context: ControlContext,
  message: MessageEvent,
  program: string | undefined,
): string | null {
  const { reason, decidingRule, programRevision } = message;
  if (reason === Reason.none) return null;
  if (reason !== Reason.rule || program === undefined) return codeName(Reason, reason);
  const rule = context.system.rulesOf(program, programRevision)[decidingRule];
  return (rule && outcomeOf(context, rule)?.reason) ?? codeName(Reason, reason);
}

/** The rules that matched, in the order of their evaluation, for the explanation. */
export function matchedRules(context: ControlContext, message: MessageEvent, program: string | undefined): object[] {
  if (program === undefined || message.rulesAsked === 0) return [];
  return context.system.rulesOf(program, message.programRevision).flatMap((rule, place) => {
    if (!hasMatched(message, place)) return [];
    const { id, version, state } = rule;
    const outcome = outcomeOf(context, rule);
    const decided = place === message.decidingRule;
    return [{ id, version, state, decided, response_code: outcome?.response ?? null, reason: outcome?.reason ?? null }];
  });
}

/** Of the version that was asked; undefined when the journal does not know it. */
function outcomeOf(context: ControlContext, { id, version }: RulePlace) {
  const rule = context.system.rules.version(id, version);
  return rule === undefined ? undefined : checkedRule(rule.text).rule.outcome;
}
