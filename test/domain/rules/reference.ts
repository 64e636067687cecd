/**
 * The rules' language a second time, as the reference page tells it and as simply as possible: a walk over the tree, values
 * as JavaScript values, absent as undefined, three-valued logic written out, arithmetic in BigInt. It shares no code with
 * the compiler, nor with what fills the facts: it reads a situation, from which `factsOf` fills them.
 */
import { countryCodes } from '#src/domain/countries.js';
import type { Condition, Item, Value } from '#src/domain/rules/ast.js';

/** A message with its surroundings, in the words of people. Undefined = absent. */
export interface Situation {
  nowMs: number;
  mti: number;
  /** First two digits of DE3. */
  processing?: number;
  amount?: number;
  currency?: string;
  billingAmount?: number;
  billingCurrency?: string;
  mcc?: number;
  country?: string;
  /** DE22, three digits. */
  entryMode?: number;
  condition?: number;
  function?: string;
  threeDSecure?: number;
  partialAllowed: boolean;
  /** hhmmss. */
  localTime?: number;
  /** Fields of the language with the text as it lies in the message, padding included. */
  texts: Partial<Record<'terminal' | 'merchant' | 'merchant_name' | 'acquirer' | 'forwarder', string>>;
  carried: readonly ('track1' | 'track2' | 'pin' | 'chip' | 'cvv2' | 'address')[];
  card: { status: string; bin: number; createdMs: number };
  account: {
    status: string;
    type: string;
    currency: string;
    limit: number;
    posted: number;
    held: number;
    createdMs: number;
  };
  windows: Readonly<Record<string, { count?: number; spent?: number }>>;
}

type Known = bigint | string | boolean;
/** Undefined = unknown. */
type Truth = boolean | undefined;

const DAY_MS = 86_400_000;
const LIMIT = BigInt(Number.MAX_SAFE_INTEGER);

/** True when the rule matches: its condition is certainly true. */
export function matches(when: Condition, situation: Situation): boolean {
  return truth(when, situation) === true;
}

function truth(node: Condition, s: Situation): Truth {
  switch (node.kind) {
    case 'constant':
      return node.value;
    case 'and': {
      const terms = node.terms.map((term) => truth(term, s));
      if (terms.includes(false)) return false;
      return terms.includes(undefined) ? undefined : true;
    }
    case 'or': {
      const terms = node.terms.map((term) => truth(term, s));
      if (terms.includes(true)) return true;
      return terms.includes(undefined) ? undefined : false;
    }
    case 'not': {
      const inner = truth(node.operand, s);
      return inner === undefined ? undefined : !inner;
    }
    case 'compare': {
      const left = read(node.left, s);
      const right = read(node.right, s);
      return left === undefined || right === undefined ? undefined : compare(node.op, left, right);
    }
    case 'in': {
      const value = read(node.value, s);
      return value === undefined ? undefined : node.items.some((item) => isItem(value, item));
    }
    case 'starts_with':
    case 'contains': {
      const text = read(node.value, s);
      if (typeof text !== 'string') return undefined;
      return node.texts.some(({ value }) => (node.kind === 'contains' ? text.includes(value) : text.startsWith(value)));
    }
    case 'present':
      return read(node.value, s) !== undefined;
    case 'absent':
      return read(node.value, s) === undefined;
    case 'field':
      return read(node, s) as boolean;
  }
}

function compare(op: string, left: Known, right: Known): boolean {
  switch (op) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    default:
      return left >= right;
  }
}

function isItem(value: Known, item: Item): boolean {
  if (item.kind === 'text') return value === item.value;
  if (item.kind === 'number') return value === BigInt(item.value);
  return typeof value === 'bigint' && value >= BigInt(item.from.value) && value <= BigInt(item.to.value);
}

function read(node: Value, s: Situation): Known | undefined {
  switch (node.kind) {
    case 'number':
      return BigInt(node.value);
    case 'text':
      return node.value;
    case 'field': {
      const value = fieldOf(node.name, s);
      return typeof value === 'number' ? BigInt(value) : value;
    }
    case 'count':
    case 'spent': {
      const counter = s.windows[node.window]?.[node.kind];
      return counter === undefined ? undefined : BigInt(counter);
    }
    case 'negate': {
      const inner = read(node.operand, s);
      return inner === undefined ? undefined : -(inner as bigint);
    }
    case 'arithmetic': {
      const left = read(node.left, s);
      const right = read(node.right, s);
      if (left === undefined || right === undefined) return undefined;
      const result = calculate(node.op, left as bigint, right as bigint);
      return result > LIMIT || result < -LIMIT ? undefined : result;
    }
  }
}

function calculate(op: string, a: bigint, b: bigint): bigint {
  const rest = (): bigint => ((a % b) + b) % b;
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return (a - rest()) / b;
    default:
      return rest();
  }
}

const types: Readonly<Record<number, string>> = {
  0: 'purchase',
  1: 'cash',
  9: 'cash_back',
  10: 'account_funding',
  11: 'quasi_cash',
  17: 'cash_disbursement',
  20: 'refund',
  26: 'credit',
  28: 'credit',
  30: 'inquiry',
  31: 'inquiry',
  38: 'verification',
};

const channels: Readonly<Record<number, string>> = {
  1: 'manual',
  2: 'magstripe',
  80: 'magstripe',
  90: 'magstripe',
  5: 'chip',
  95: 'chip',
  7: 'contactless',
  91: 'contactless',
  81: 'ecommerce',
  10: 'ecommerce',
};

function typeOf({ processing, amount }: Situation): string | undefined {
  if (processing === undefined) return undefined;
  if (amount === 0 && [0, 1, 17].includes(processing)) return 'verification';
  return types[processing];
}

/** DE19, else the letters at the end of a complete DE43. */
function countryOf({ country, texts }: Situation): string | undefined {
  const name = texts.merchant_name ?? '';
  const letters = name.length === 40 ? name.slice(38) : '';
  return country ?? (countryCodes().includes(letters) ? letters : undefined);
}

function fieldOf(name: string, s: Situation): number | string | boolean | undefined {
  const { card, account } = s;
  const days = (sinceMs: number): number => Math.max(0, Math.floor((s.nowMs - sinceMs) / DAY_MS));
  const text = (value: string | undefined): string | undefined => value?.trimEnd() || undefined;
  const institution = (value: string | undefined): string | undefined => text(value)?.replace(/^0+(?=.)/, '');
  const data = (what: Situation['carried'][number]): true | undefined => s.carried.includes(what) || undefined;
  switch (name) {
    case 'amount':
      if (s.amount === 0 || s.currency === account.currency) return s.amount;
      return s.billingCurrency === account.currency ? s.billingAmount : undefined;
    case 'transaction_amount':
      return s.amount;
    case 'transaction_currency':
      return s.currency;
    case 'mti':
      return s.mti;
    case 'type':
      return typeOf(s);
    case 'mcc':
      return s.mcc;
    case 'country':
      return countryOf(s);
    case 'channel':
      return s.entryMode === undefined ? undefined : channels[Math.trunc(s.entryMode / 10)];
    case 'atm':
      return ['cash', 'cash_disbursement'].includes(typeOf(s) ?? '');
    case 'entry_mode':
      return s.entryMode === undefined ? undefined : Math.trunc(s.entryMode / 10);
    case 'condition':
      return s.condition;
    case 'function':
      return s.function;
    case 'three_d_secure':
      return s.threeDSecure;
    case 'partial_allowed':
      return s.partialAllowed;
    case 'hour':
      return new Date(s.nowMs).getUTCHours();
    case 'weekday':
      return new Date(s.nowMs).toLocaleDateString('en-US', { weekday: 'long', timeZone: 'UTC' }).toLowerCase();
    case 'local_hour':
      return s.localTime === undefined ? undefined : Math.trunc(s.localTime / 10_000);
    case 'terminal':
    case 'merchant':
    case 'merchant_name':
      return text(s.texts[name]);
    case 'acquirer':
    case 'forwarder':
      return institution(s.texts[name]);
    case 'track1':
    case 'track2':
    case 'pin':
    case 'chip':
    case 'cvv2':
    case 'address':
      return data(name);
    case 'card.age_days':
      return days(card.createdMs);
    case 'card.status':
      return card.status;
    case 'card.bin':
      return card.bin;
    case 'account.available':
      return account.limit - account.posted - account.held;
    case 'account.posted':
      return account.posted;
    case 'account.held':
      return account.held;
    case 'account.limit':
      return account.limit;
    case 'account.utilization': {
      const used = account.posted + account.held;
      if (account.limit <= 0) return undefined;
      if (used <= 0) return 0;
      return used * 100 > Number.MAX_SAFE_INTEGER ? undefined : Number((BigInt(used) * 100n) / BigInt(account.limit));
    }
    case 'account.status':
      return account.status;
    case 'account.type':
      return account.type;
    case 'account.currency':
      return account.currency;
    case 'account.age_days':
      return days(account.createdMs);
    default:
      throw new Error(`the reference knows no field ${name}`);
  }
}
