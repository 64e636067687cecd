/** What is in suspense: which breaks it makes, with which amounts, and until when. */
import { describe } from 'vitest';
import { scenario } from '../table/runner.js';
import { finds } from './finds.js';

const OPEN = `
    account A limit=100000
    card    a of=A`;

describe('a record in suspense', () => {
  scenario(
    'is a break until it is resolved',
    `${OPEN}
    clear ? purchase 700 arn=P                | posted none unknownCard | 0 | 0 | 100000
    clear ? purchase 400 arn=Q                | posted none unknownCard | 0 | 0 | 100000
    resolve 3 loss                            | ok                      | 0 | 0 | 100000
    `,
    finds('card_mismatch unknown_card 400'),
  );
  scenario(
    'without an amount in the currency of the account',
    `${OPEN}
    clear a purchase 700 cur=840              | posted none otherCurrency | 0 | 0 | 100000
    `,
    finds('currency_mismatch not_of_the_account 700'),
  );
  scenario(
    'and what takes it back whole are none together',
    `${OPEN}
    clear ? purchase 700 arn=P                | posted none unknownCard | 0 | 0 | 100000
    clear ? purchase 700 arn=P back           | posted arn unknownCard  | 0 | 0 | 100000
    `,
    finds(),
  );
  scenario(
    'and what takes back a part of it are both, since the rest stays there',
    `${OPEN}
    clear ? purchase 700 arn=P                | posted none unknownCard             | 0 | 0 | 100000
    clear ? purchase 300 arn=P back           | posted arn unknownCard otherAmount  | 0 | 0 | 100000
    trial                                     | 1390 +400, 2100 -400
    `,
    finds(
      ...[
        'amount_mismatch other_than_original 300',
        'card_mismatch unknown_card 300',
        'card_mismatch unknown_card 700',
      ],
    ),
  );
  scenario(
    'that was resolved and is taken back afterwards is one again: what the network gave is there',
    `${OPEN}
    clear ? purchase 700 arn=P                | posted none unknownCard | 0 | 0 | 100000
    resolve 3 loss                            | ok                      | 0 | 0 | 100000
    clear ? purchase 700 arn=P back           | posted arn unknownCard  | 0 | 0 | 100000
    trial                                     | 1390 -700, 5200 +700
    `,
    finds('card_mismatch unknown_card 700'),
  );
  scenario(
    'that takes back what nobody knows is at risk with what is in suspense, until it is resolved',
    `${OPEN}
    clear ? purchase 500 arn=P back           | posted none unknownCard originalMissing | 0 | 0 | 100000
    clear ? purchase 600 arn=Q back           | posted none unknownCard originalMissing | 0 | 0 | 100000
    resolve 4 network                         | ok                                      | 0 | 0 | 100000
    `,
    finds('card_mismatch unknown_card 500', 'reversal_without_original original_unknown 500'),
  );
  scenario(
    'and was taken back in the days of the run, when it is of before, leaves nothing on 1390',
    `${OPEN}
    clear ? purchase 700 arn=P                | posted none unknownCard | 0 | 0 | 100000
    wait 65d
    clear ? purchase 700 arn=P back           | posted arn unknownCard  | 0 | 0 | 100000
    `,
    finds(),
  );
});

describe('a record of an account', () => {
  scenario(
    'that takes back another amount, or what nobody knows',
    `${OPEN}
    clear a purchase 700 arn=P                | posted none             |  700 | 0 |  99300
    clear a purchase 600 arn=P back           | posted arn otherAmount  |  100 | 0 |  99900
    clear a purchase 500 arn=Q back           | posted none originalMissing | -400 | 0 | 100400
    `,
    finds(
      'cleared_without_authorization force_post 700',
      ...['amount_mismatch other_than_original 600', 'reversal_without_original original_unknown 500'],
    ),
  );
  scenario(
    'above what was authorized, and in another currency than that',
    `${OPEN}
    0100 a purchase 1000 stan=1 net=N1        | 00                               |    0 | 1000 | 99000
    clear a purchase 1600 net=N1 arn=P        | posted networkId overCleared     | 1600 |    0 | 98400
    0100 a purchase 1000 stan=2 net=N2        | 00                               | 1600 | 1000 | 97400
    clear a purchase 200 cur=840 bill=1000/986 net=N2 arn=Q | posted networkId   | 2600 |    0 | 97400
    `,
    finds('amount_mismatch over_cleared 600', 'currency_mismatch other_than_authorized 1000'),
  );
});
