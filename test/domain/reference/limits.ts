/**
 * Controls and velocity windows of the reference model: the naive model of them (velocity-model.ts), told of every element of
 * an authorization. What an element counted is given back from the newest element on.
 */
import { type ControlsJson, type ModelRefusal, type ModelRequest, VelocityModel } from '../velocity-model.js';
import type { Entry } from './entry.js';
import { type Message, typeOf } from './message.js';

/** Amounts of a request as controls see them, minor units of the account's currency. */
export interface Asked {
  amount: number;
  cash: number;
  /** What is authorized already, when the request adds to it. */
  authorizedBefore?: number | undefined;
}

export const NO_MONEY: Asked = { amount: 0, cash: 0 };

/** In the place of what windows know. */
const NOWHERE = -1;

export class Limits {
  readonly windows = new VelocityModel();
  readonly #numbers = new Map<string, number>();
  readonly #accounts: string[] = [];
  /** What the elements of an authorization have counted and not given back, oldest first. */
  readonly #counted = new Map<Entry, { element: number; amount: number }[]>();

  addAccount(id: string): void {
    this.#accounts.push(id);
  }

  /** A replacement goes on with the controls of the card that it replaces, if any (true), and with what its windows hold. */
  addCard(card: string, account: string, replaces?: string): boolean {
    const number = this.#numbers.size;
    this.#numbers.set(card, number);
    this.windows.accountOf.set(number, this.#accounts.indexOf(account));
    if (replaces === undefined) return false;
    this.windows.replaced.set(number, this.number(replaces));
    const inherited = this.windows.cardControls.get(this.number(replaces));
    if (inherited) this.windows.cardControls.set(number, inherited);
    return inherited !== undefined;
  }

  number(card: string): number {
    return this.#numbers.get(card)!;
  }

  /** False when nothing changes. */
  setCardControls(card: string, controls: ControlsJson | undefined): boolean {
    return set(this.windows.cardControls, this.number(card), controls);
  }

  setAccountControls(account: string, controls: ControlsJson | undefined): boolean {
    return set(this.windows.accountControls, this.#accounts.indexOf(account), controls);
  }

  refusal(card: string, m: Message, asked: Asked, atMs: number): ModelRefusal | undefined {
    return this.windows.check(this.number(card), requestOf(m, asked), atMs);
  }

  countDecline(card: string, m: Message, asked: Asked, atMs: number): void {
    this.windows.decline(this.number(card), requestOf(m, asked), atMs);
  }

  /** Brings what an authorization has counted to its total: more counts now, less goes back, the newest first. */
  recount(
    root: Entry,
    total: number,
    card: string,
    m: Message | undefined,
    cash: number,
    atMs: number,
    undone = total === 0,
    isRollBack = false,
  ): void {
    const counted = this.#counted.get(root) ?? [];
    this.#counted.set(root, counted);
    let sum = counted.reduce((all, { amount }) => all + amount, 0);
    if (total > sum) {
      const amount = total - sum;
      // What was given back does not count again.
      if (isRollBack) {
        counted.push({ element: NOWHERE, amount });
        return;
      }
      const asked = { amount, cash: Math.min(cash, amount), ...(sum > 0 ? { authorizedBefore: sum } : {}) };
      const element = this.windows.approve(this.number(card), requestOf(m!, asked), amount, atMs);
      counted.push({ element, amount });
      return;
    }
    for (const one of counted.toReversed()) {
      const back = Math.min(one.amount, sum - total);
      one.amount -= back;
      sum -= back;
      if (one.element !== NOWHERE) this.windows.reduce(one.element, one.amount, undone);
    }
  }
}

function set(into: Map<number, ControlsJson>, whose: number, controls: ControlsJson | undefined): boolean {
  if (JSON.stringify(into.get(whose)) === JSON.stringify(controls)) return false;
  if (controls === undefined) into.delete(whose);
  else into.set(whose, controls);
  return true;
}

const CHANNELS: Record<string, string> = {
  '01': 'manual',
  '02': 'magstripe',
  '80': 'magstripe',
  '90': 'magstripe',
  '05': 'chip',
  '95': 'chip',
  '07': 'contactless',
  '91': 'contactless',
  '10': 'ecommerce',
  '81': 'ecommerce',
};

/** How the card was read, by DE22; undefined when that is not known. */
export const channelOf = ({ mode }: Message): string | undefined =>
  CHANNELS[mode === undefined ? '' : String(mode).padStart(3, '0').slice(0, 2)];

/** DE19, else the letters at the end of DE43; '' without. */
export const countryOf = ({ country, place }: Message): string => country ?? place ?? '';

/** Why controls refused, by the name of the reason. */
export function reasonOf({ control, response, byDeclines }: ModelRefusal): string {
  if (byDeclines) return 'velocity_declines';
  const pointer = control.split(' ')[2]!;
  const cash = pointer.startsWith('/cash') ? 'cash_' : '';
  const list = { '/channels': 'channel', '/countries': 'country', '/mcc': 'mcc', '/merchants': 'merchant' };
  for (const [member, name] of Object.entries(list)) if (pointer.startsWith(`${member}/`)) return `${name}_denied`;
  if (pointer.endsWith('/per_transaction')) return `${cash}transaction_limit`;
  return `${cash}velocity_${response === '61' ? 'amount' : 'count'}`;
}

/** Cash at a machine or a counter. */
const AT_MACHINES = [1, 17];

function requestOf(m: Message, { amount, cash, authorizedBefore }: Asked): ModelRequest {
  const channel = channelOf(m);
  return {
    mcc: m.mcc === undefined ? '' : String(m.mcc),
    country: countryOf(m),
    merchant: m.merchant ?? '',
    channels: [...(channel ? [channel] : []), ...(AT_MACHINES.includes(typeOf(m)) ? ['atm'] : [])],
    amount,
    cash,
    ...(authorizedBefore === undefined ? {} : { authorizedBefore }),
  };
}
