/**
 * Controls and velocity as readable tables: time, what happens, what is answered. The naive model runs beside and must agree
 * at every step.
 *
 *   buy N [mcc] | cash N | back N (a third of it cash) | verify | force N (decided elsewhere) | fail N (declined elsewhere)
 *   more #n N (increment of the n-th approval) | undo #n [percent that stays] | card n | replace
 */
import { describe, expect, test } from 'vitest';
import { Player, type Request } from './velocity-histories.js';
import type { ControlsJson } from './velocity-model.js';

const MCC: Record<string, number> = { groceries: 0, fuel: 1, hotel: 2, lodging: 3 };

function play(level: 'program' | 'card' | 'account', controls: ControlsJson, table: string): Player {
  const lines = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s{2,}/));
  const player = new Player(Date.parse(lines[0]![0]!));
  player.setControls(level, 0, controls);
  const approved: Player['authorizations'] = [];
  let card = 0;
  for (const [time = '', action = '', expected = ''] of lines) {
    player.nowMs = Date.parse(time);
    const [verb = '', first = '', second = ''] = action.split(' ');
    const before = player.seen.length;
    const count = player.authorizations.length;
    const base: Request = {
      card,
      kind: 'purchase',
      amount: Number(first),
      mcc: MCC[second] ?? 0,
      merchant: 0,
      country: 0,
      mode: 0,
    };
    const numbered = approved[Number(first.slice(1)) - 1];
    switch (verb) {
      case 'buy':
      case 'fail':
        player.step({ op: 'request', outcome: verb === 'buy' ? 'approved' : 'declined', ...base });
        break;
      case 'cash':
        player.step({ op: 'request', outcome: 'approved', ...base, kind: 'cash' });
        break;
      case 'back':
        player.step({ op: 'request', outcome: 'approved', ...base, kind: 'cash back' });
        break;
      case 'verify':
        player.step({ op: 'request', outcome: 'approved', ...base, kind: 'verification' });
        break;
      case 'force':
        player.step({ op: 'forced', ...base });
        break;
      case 'more':
        player.step({
          op: 'increment',
          back: player.authorizations.length - 1 - player.authorizations.indexOf(numbered!),
          amount: Number(second),
        });
        break;
      case 'undo':
        player.release(numbered, Number(second));
        break;
      case 'card':
        card = Number(first);
        break;
      case 'replace':
        player.step({ op: 'replace', card });
        card = 3;
        break;
      default:
        throw new Error(`unknown step ${action}`);
    }
    if (player.authorizations.length > count) approved.push(player.authorizations.at(-1)!);
    const refusal = player.seen.slice(before).find((what) => /^\d\d /.test(what));
    if (expected !== '') expect(refusal?.slice(0, 2) ?? '00', `${time} ${action}`).toBe(expected);
    player.compareCounters();
  }
  return player;
}

describe('a limit per day', () => {
  test('is full to the last cent, and empty after midnight', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 100, count: 3 }] },
      `
      2026-05-20T23:59:58Z       buy 60         00
      2026-05-20T23:59:58Z       buy 41         61
      2026-05-20T23:59:59Z       buy 40         00
      2026-05-20T23:59:59.999Z   buy 1          61
      2026-05-21T00:00:00Z       buy 100        00
    `,
    );
  });

  test('counts three, whatever they cost', () => {
    play(
      'card',
      { velocity: [{ window: 'day', count: 3 }] },
      `
      2026-05-20T10:00:00Z   buy 1          00
      2026-05-20T11:00:00Z   verify         00
      2026-05-20T12:00:00Z   buy 1          00
      2026-05-20T13:00:00Z   more #1 5      00
      2026-05-20T14:00:00Z   cash 1         00
      2026-05-20T15:00:00Z   buy 1          65
      2026-05-20T15:00:00Z   verify         00
      2026-05-20T16:00:00Z   more #1 5      00
    `,
    );
  });

  test('cancel tomorrow: what was bought today gives nothing back to tomorrow', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 100 }] },
      `
      2026-05-20T10:00:00Z   buy 80         00
      2026-05-20T10:01:00Z   buy 30         61
      2026-05-21T09:00:00Z   buy 60         00
      2026-05-21T10:00:00Z   undo #1 0
      2026-05-21T10:01:00Z   buy 50         61
      2026-05-21T10:02:00Z   buy 40         00
    `,
    );
  });

  test('cancel today: the same day has it again, amount and count', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 100, count: 2 }] },
      `
      2026-05-20T10:00:00Z   buy 80         00
      2026-05-20T10:01:00Z   undo #1 50
      2026-05-20T10:02:00Z   buy 61         61
      2026-05-20T10:03:00Z   buy 60         00
      2026-05-20T10:04:00Z   buy 1          61
      2026-05-20T10:05:00Z   undo #1 0
      2026-05-20T10:06:00Z   buy 40         00
      2026-05-20T10:07:00Z   undo #3 0
      2026-05-20T10:08:00Z   buy 41         61
    `,
    );
  });

  test('a day of 23 hours, without its hour from two to three', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 100, zone: 'America/New_York' }] },
      `
      2026-03-08T04:59:59Z   buy 100        00
      2026-03-08T05:00:00Z   buy 100        00
      2026-03-09T03:59:59Z   buy 1          61
      2026-03-09T04:00:00Z   buy 1          00
    `,
    );
  });

  test('a day of 25 hours', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 100, zone: 'America/New_York' }] },
      `
      2026-11-01T03:59:59Z   buy 100        00
      2026-11-01T04:00:00Z   buy 100        00
      2026-11-02T04:59:59Z   buy 1          61
      2026-11-02T05:00:00Z   buy 1          00
    `,
    );
  });
});

describe('longer calendar windows', () => {
  test('29 February is a day of its own and belongs to February', () => {
    play(
      'card',
      {
        velocity: [
          { window: 'day', count: 1 },
          { window: 'month', count: 3 },
        ],
      },
      `
      2024-02-28T12:00:00Z   buy 1          00
      2024-02-29T00:00:00Z   buy 1          00
      2024-02-29T23:59:59Z   buy 1          65
      2024-03-01T00:00:00Z   buy 1          00
      2024-03-02T00:00:00Z   buy 1          00
      2024-03-03T00:00:00Z   buy 1          00
      2024-03-04T00:00:00Z   buy 1          65
    `,
    );
  });

  test('a month from the 31st begins on the last day of a shorter month', () => {
    play(
      'card',
      { velocity: [{ window: 'month', starts_on: 31, count: 1 }] },
      `
      2026-01-30T23:59:59Z   buy 1          00
      2026-01-31T00:00:00Z   buy 1          00
      2026-02-27T23:59:59Z   buy 1          65
      2026-02-28T00:00:00Z   buy 1          00
      2026-03-30T23:59:59Z   buy 1          65
      2026-03-31T00:00:00Z   buy 1          00
      2026-04-29T23:59:59Z   buy 1          65
      2026-04-30T00:00:00Z   buy 1          00
    `,
    );
  });

  test('a year changes with the clocks of its zone', () => {
    play(
      'card',
      { velocity: [{ window: 'year', amount: 100, zone: 'America/Sao_Paulo' }] },
      `
      2026-12-31T12:00:00Z   buy 100        00
      2027-01-01T02:59:59Z   buy 1          61
      2027-01-01T03:00:00Z   buy 100        00
    `,
    );
  });

  test('a lifetime never ends', () => {
    play(
      'card',
      { velocity: [{ window: 'lifetime', amount: 100 }] },
      `
      2026-01-01T00:00:00Z   buy 60         00
      2036-01-01T00:00:00Z   buy 41         61
      2036-01-01T00:00:00Z   undo #1 50
      2036-01-01T00:00:00Z   buy 70         00
    `,
    );
  });
});

describe('trailing windows', () => {
  test('15 minutes in buckets of a minute: it counts until its minute has left', () => {
    play(
      'card',
      { velocity: [{ window: 'trailing', seconds: 900, count: 1 }] },
      `
      2026-05-20T10:00:30Z        buy 1     00
      2026-05-20T10:15:30Z        buy 1     65
      2026-05-20T10:15:59.999Z    buy 1     65
      2026-05-20T10:16:00Z        buy 1     00
    `,
    );
  });

  test('give-backs go to the bucket of the purchase, not to the newest', () => {
    play(
      'card',
      { velocity: [{ window: 'trailing', seconds: 900, amount: 100 }] },
      `
      2026-05-20T10:00:00Z   buy 60         00
      2026-05-20T10:10:00Z   buy 40         00
      2026-05-20T10:12:00Z   undo #1 0
      2026-05-20T10:13:00Z   buy 60         00
      2026-05-20T10:16:00Z   buy 1          61
      2026-05-20T10:26:00Z   buy 40         00
    `,
    );
  });

  test('an increment counts when it is made, and a reversal gives each part back to its own time', () => {
    play(
      'card',
      {
        velocity: [
          { window: 'day', amount: 100 },
          { window: 'trailing', seconds: 259_200, amount: 160 },
        ],
      },
      `
      2026-05-20T10:00:00Z   buy 90         00
      2026-05-21T10:00:00Z   more #1 60     00
      2026-05-21T10:01:00Z   buy 41         61
      2026-05-21T10:02:00Z   undo #1 80
      2026-05-21T10:03:00Z   buy 40         00
      2026-05-21T10:04:00Z   undo #1 0
      2026-05-21T10:05:00Z   buy 60         00
      2026-05-21T10:06:00Z   buy 1          61
    `,
    );
  });
});

describe('what counts', () => {
  test('what was decided elsewhere counts, even above the limit', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 100 }] },
      `
      2026-05-20T10:00:00Z   force 150      00
      2026-05-20T10:01:00Z   buy 1          61
      2026-05-20T10:02:00Z   verify         00
      2026-05-20T10:03:00Z   undo #1 0
      2026-05-20T10:04:00Z   buy 100        00
    `,
    );
  });

  test('declines count in windows of declines only, and not the ones that such a window made', () => {
    const velocity = [
      { window: 'trailing', seconds: 900, count: 2, counts: 'declines' },
      { window: 'day', count: 3 },
    ] as const;
    play(
      'card',
      { velocity: [...velocity] },
      `
      2026-05-20T10:00:00Z   fail 1
      2026-05-20T10:01:00Z   buy 1          00
      2026-05-20T10:02:00Z   fail 1
      2026-05-20T10:03:00Z   buy 1          65
      2026-05-20T10:15:00Z   buy 1          65
      2026-05-20T10:16:00Z   buy 1          00
      2026-05-20T10:17:00Z   buy 1          00
      2026-05-20T10:18:00Z   buy 1          65
    `,
    );
  });

  test('cash limits hold cash and the cash in a purchase', () => {
    play(
      'card',
      { cash: { per_transaction: 50, velocity: [{ window: 'day', amount: 80, count: 3 }] } },
      `
      2026-05-20T10:00:00Z   cash 51        61
      2026-05-20T10:01:00Z   cash 50        00
      2026-05-20T10:02:00Z   buy 1000       00
      2026-05-20T10:03:00Z   back 93        61
      2026-05-20T10:04:00Z   back 90        00
      2026-05-20T10:05:00Z   cash 1         61
      2026-05-20T10:06:00Z   undo #3 34
      2026-05-20T10:07:00Z   cash 1         61
      2026-05-20T10:08:00Z   undo #3 0
      2026-05-20T10:09:00Z   cash 30        00
    `,
    );
  });

  test('a window may look at some categories only', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 50, mcc: ['fuel', '3501-3999'] }] },
      `
      2026-05-20T10:00:00Z   buy 500                00
      2026-05-20T10:01:00Z   buy 50 fuel            00
      2026-05-20T10:02:00Z   buy 1 lodging          61
      2026-05-20T10:03:00Z   buy 1 hotel            00
    `,
    );
  });
});

describe('whose counters', () => {
  test('a replacement has the limits of the old card and its counters, and adds to them', () => {
    play(
      'card',
      { velocity: [{ window: 'day', amount: 100 }] },
      `
      2026-05-20T10:00:00Z   buy 70         00
      2026-05-20T10:01:00Z   replace
      2026-05-20T10:02:00Z   buy 31         61
      2026-05-20T10:02:30Z   buy 30         00
      2026-05-20T10:03:00Z   card 0
      2026-05-20T10:04:00Z   buy 1          61
    `,
    );
  });

  test('with the default of the program a replacement has its limits, too', () => {
    play(
      'program',
      { velocity: [{ window: 'day', amount: 100 }] },
      `
      2026-05-20T10:00:00Z   buy 70         00
      2026-05-20T10:01:00Z   replace
      2026-05-20T10:02:00Z   buy 31         61
      2026-05-20T10:03:00Z   buy 30         00
      2026-05-20T10:04:00Z   card 1
      2026-05-20T10:05:00Z   buy 100        00
    `,
    );
  });

  test('a window per account adds up over its cards', () => {
    play(
      'program',
      { velocity: [{ window: 'day', amount: 100, per: 'account' }] },
      `
      2026-05-20T10:00:00Z   buy 70         00
      2026-05-20T10:01:00Z   card 1
      2026-05-20T10:02:00Z   buy 31         61
      2026-05-20T10:03:00Z   buy 30         00
      2026-05-20T10:04:00Z   card 2
      2026-05-20T10:05:00Z   buy 100        00
    `,
    );
  });
});

test('another limit holds against the same counter; another window begins anew', () => {
  const player = play('card', { velocity: [{ window: 'day', amount: 100 }] }, '2026-05-20T10:00:00Z   buy 70   00');
  const buy = (amount: number): string | undefined => {
    player.step({
      op: 'request',
      outcome: 'approved',
      card: 0,
      kind: 'purchase',
      amount,
      mcc: 0,
      merchant: 0,
      country: 0,
      mode: 0,
    });
    return player.seen.pop()?.slice(0, 2);
  };
  player.setControls('card', 0, { velocity: [{ window: 'day', amount: 80, count: 9 }] });
  expect(buy(11)).toBe('61');
  player.setControls('card', 0, { velocity: [{ window: 'day', amount: 80, zone: 'Asia/Kolkata' }] });
  expect(buy(11)).toBe(undefined);
  // Back again: what was bought meanwhile was not counted there.
  player.setControls('card', 0, { velocity: [{ window: 'day', amount: 80 }] });
  expect(buy(11)).toBe('61');
  expect(buy(10)).toBe(undefined);
});
