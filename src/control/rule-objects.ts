/** Rules as objects of the API. */
import { checkedRule } from './rule-check.js';
import type { RuleRecord } from './system-log.js';
import { time } from './views.js';

export function ruleObject(rule: RuleRecord): Record<string, unknown> {
  const { id, program, name, state, priority, createdMs, atMs } = rule;
  return {
    object: 'rule',
    id,
    program,
    name,
    state,
    priority,
    ...versionFields(rule),
    created_at: time(createdMs),
    updated_at: time(atMs),
  };
}

export function versionObject(rule: RuleRecord): Record<string, unknown> {
  return { object: 'rule_version', rule: rule.id, ...versionFields(rule), created_at: time(rule.versionMs) };
}

function versionFields({ version, text }: RuleRecord): Record<string, unknown> {
  const { rule, cost, fields, windows } = checkedRule(text);
  const { response, reason } = rule.outcome;
  return { version, text, json: rule, response_code: response, reason, cost, fields, windows };
}
