/** Clearing records: outcome, rung and flags; then posted, held and available after each step (section 8 of the domain rules). */
import { describe, scenario } from './runner.js';

describe('a presentment of an authorization', () => {
  scenario(
    'full: the hold becomes what is owed',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                  |      0 | 30000 |  70000
    clear a purchase 30000 net=N1        | posted networkId    |  30000 |     0 |  70000
    posts 4                              | 1100 +30000, 2100 -30000
    hold 3                               | 0 of 30000
    `,
  );
  scenario(
    'for less: the rest is released',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                  |      0 | 30000 |  70000
    clear a purchase 25000 net=N1        | posted networkId    |  25000 |     0 |  75000
    hold 3                               | 0 of 25000
    `,
  );
  scenario(
    'in several parts: marked ones release what they clear, the last one everything',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A part        | posted networkId    |  10000 | 20000 |  70000
    hold 3                               | 20000 of 30000
    clear a purchase 5000 net=N1 arn=B seq=2/3      | posted networkId    |  15000 | 15000 |  70000
    clear a purchase 12000 net=N1 arn=C seq=3/3     | posted networkId    |  27000 |     0 |  73000
    hold 3                               | 0 of 27000
    `,
  );
  scenario(
    'in several parts of one reference: the sequence tells them apart',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A seq=1/2     | posted networkId    |  10000 | 20000 |  70000
    clear a purchase 20000 net=N1 arn=A seq=2/2     | posted networkId    |  30000 |     0 |  70000
    clear a purchase 20000 net=N1 arn=A seq=2/2     | duplicate networkId |  30000 |     0 |  70000
    `,
  );
  scenario(
    'after a completion down to nothing every amount is above what was authorized',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 1000 stan=1 net=N1   | 00                  |      0 |  1000 |  99000
    0120 a purchase 0 stan=2 rrn=1 why=C | 00                  |      0 |     0 | 100000
    clear a purchase 500 net=N1 arn=A    | posted networkId overCleared    |    500 |     0 |  99500
    `,
  );
  scenario(
    'a second one after the first has released the rest posts, and is not above what was authorized',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A  | posted networkId    |  10000 |     0 |  90000
    clear a purchase 20000 net=N1 arn=B  | posted networkId    |  30000 |     0 |  70000
    clear a purchase 1 net=N1 arn=C      | posted networkId overCleared    |  30001 |     0 |  69999
    `,
  );
  scenario(
    'marked partial, above what remains: releases what remains and no more',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                  |      0 | 30000 |  70000
    0100 a purchase 20000 net=N2         | 00                  |      0 | 50000 |  50000
    clear a purchase 35000 net=N1 part   | posted networkId overCleared    |  35000 | 20000 |  45000
    hold 3                               | 0 of 35000
    `,
  );
  scenario(
    'above the authorization posts in full; the tolerance of the category decides the flag',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 10000 net=N1 mcc=5812          | 00                              |      0 | 10000 |  90000
    clear a purchase 12000 net=N1 mcc=5812         | posted networkId                |  12000 |     0 |  88000
    0100 a purchase 10000 net=N2 mcc=5812          | 00                              |  12000 | 10000 |  78000
    clear a purchase 12001 net=N2 mcc=5812         | posted networkId overCleared    |  24001 |     0 |  75999
    0100 a purchase 10000 net=N3 mcc=7011          | 00                              |  24001 | 10000 |  65999
    clear a purchase 11500 net=N3 mcc=7011         | posted networkId                |  35501 |     0 |  64499
    0100 a purchase 10000 net=N4 mcc=5411          | 00                              |  35501 | 10000 |  54499
    clear a purchase 10001 net=N4 mcc=5411         | posted networkId overCleared    |  45502 |     0 |  54498
    `,
  );
  scenario(
    'above what a partial reversal has left',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 10000 net=N1         | 00                              |      0 | 10000 |  90000
    0400 a stan=3 rrn=3 de95=4000        | 00                              |      0 |  4000 |  96000
    clear a purchase 8000 net=N1         | posted networkId overCleared    |   8000 |     0 |  92000
    `,
  );
  scenario(
    'never refused: status of card and account, and the limit, play no part',
    `
    account A limit=10000
    card    a of=A
    0100 a purchase 9000 net=N1          | 00                              |      0 |  9000 |   1000
    status a stolen
    status A frozen
    clear a purchase 15000 net=N1        | posted networkId overCleared    |  15000 |     0 |  -5000
    `,
  );
  scenario(
    'after the end of the hold it posts all the same',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                              |      0 | 30000 |  70000
    wait 8d
    sweep                                | 1                               |      0 |     0 | 100000
    clear a purchase 30000 net=N1        | posted networkId afterExpiry    |  30000 |     0 |  70000
    hold 3                               | none
    `,
  );
  scenario(
    'partly cleared at its end: the rest goes back, and what comes late posts',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1              | 00                              |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A part  | posted networkId                |  10000 | 20000 |  70000
    wait 8d
    sweep                                     | 1                               |  10000 |     0 |  90000
    clear a purchase 20000 net=N1 arn=B       | posted networkId afterExpiry    |  30000 |     0 |  70000
    clear a purchase 1 net=N1 arn=C           | posted networkId overCleared afterExpiry    |  30001 |     0 |  69999
    `,
  );
  scenario(
    'after a full reversal it posts, and says so',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                              |      0 | 30000 |  70000
    0400 a stan=3 rrn=3                  | 00                              |      0 |     0 | 100000
    clear a purchase 30000 net=N1        | posted networkId afterReversal  |  30000 |     0 |  70000
    `,
  );
  scenario(
    'after an approval that was not delivered',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1         | 00                              |      0 | 30000 |  70000
    undelivered 3                               | ok | 0 | 0 | 100000
    clear a purchase 30000 net=N1        | posted networkId afterReversal  |  30000 |     0 |  70000
    `,
  );
});

describe('a program that keeps the rest of a hold', () => {
  scenario(
    'releases what is cleared, and the rest with the last of several',
    `
    program rest=keep
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1                    | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A             | posted networkId    |  10000 | 20000 |  70000
    clear a purchase 5000 net=N1 arn=B seq=3/3      | posted networkId    |  15000 |     0 |  85000
    hold 4                                          | 0 of 15000
    `,
  );
});

describe('what comes after a partial clearing', () => {
  scenario(
    'an increment adds to what remains; the last clearing may take both',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1              | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A part  | posted networkId    |  10000 | 20000 |  70000
    0100 a purchase 5000 fn=I orig=N1         | 00                  |  10000 | 25000 |  65000
    hold 3                                    | 25000 of 35000
    clear a purchase 25000 net=N1 arn=B       | posted networkId    |  35000 |     0 |  65000
    `,
  );
  scenario(
    'a reversal releases what remains and takes back nothing that was cleared',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1              | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A part  | posted networkId    |  10000 | 20000 |  70000
    0400 a stan=3 rrn=3                       | 00                  |  10000 |     0 |  90000
    hold 3                                    | 0 of 10000
    clear a purchase 20000 net=N1 arn=B       | posted networkId afterReversal    |  30000 |     0 |  70000
    `,
  );
  scenario(
    'DE95 speaks of the authorized total: what was cleared counts in it',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1              | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A part  | posted networkId    |  10000 | 20000 |  70000
    0400 a stan=3 rrn=3 de95=15000            | 00                  |  10000 |  5000 |  85000
    0420 a stan=3 rrn=3 de7=520120001 orig=N1 de95=4000    | 00     |  10000 |     0 |  90000
    hold 3                                    | 0 of 10000
    `,
  );
  scenario(
    'a completion advice of less than was cleared releases the rest, one of more holds the difference',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1              | 00                  |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A part  | posted networkId    |  10000 | 20000 |  70000
    0120 a purchase 8000 orig=N1 why=C        | 00                  |  10000 |     0 |  90000
    0120 a purchase 12000 orig=N1 why=C       | 00                  |  10000 |  2000 |  88000
    `,
  );
  scenario(
    'an advice behind the end of the hold of what was cleared holds nothing anew',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1              | 00                  |      0 | 30000 |  70000
    clear a purchase 30000 net=N1 arn=A       | posted networkId    |  30000 |     0 |  70000
    wait 8d
    sweep                                     | 1                   |  30000 |     0 |  70000
    0120 a purchase 30000 orig=N1 why=C       | 00                  |  30000 |     0 |  70000
    0400 a stan=3 rrn=3                       | 00                  |  30000 |     0 |  70000
    `,
  );
});
