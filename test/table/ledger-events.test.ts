/**
 * The events of the chart of accounts, one scenario each at least: legs, balances of the whole book, then posted, held and available of
 * the account (section 9 of the domain rules). What each can meet is in the tables of its own subject.
 */
import { describe, expect, scenario, test } from './runner.js';

/** A settlement that a network names: 1/20783/2. */
const SUB = 'sub=1/20783/2';
const AT = '@1381106';

const events: readonly (readonly [number, string, string])[] = [
  [
    1,
    'authorization approved, and an increment: memo only',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1 net=N1         | 00 | 0 | 300 | 700
    trial                                     | 9100 +300, 9199 -300
    0100 a purchase 200 stan=2 fn=I orig=N1   | 00 | 0 | 500 | 500
    trial                                     | 9100 +500, 9199 -500
    legs 3                                    | none
    `,
  ],
  [
    2,
    'reversal in part and in full, and expiry: memo back',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                | 00 | 0 | 300 | 700
    0400 a stan=2 rrn=1 de95=100              | 00 | 0 | 100 | 900
    trial                                     | 9100 +100, 9199 -100
    0400 a stan=3 rrn=1                       | 00 | 0 |   0 | 1000
    trial                                     | none
    0100 a purchase 400 stan=4                | 00 | 0 | 400 | 600
    wait 31d
    sweep                                     | 1  | 0 |   0 | 1000
    trial                                     | none
    `,
  ],
  [
    3,
    'clearing of a purchase: the hold is released, the receivable is debited, the network is owed; conversion and mark-up',
    `
    program markup=200
    account A limit=100000
    card a
    0100 a purchase 300 net=N1                | 00                  |   0 | 300 | 99700
    clear a purchase 300 net=N1 ${SUB}        | posted networkId    | 300 |   0 | 99700
    posts 5                                   | 1100 +300, 2100 -300${AT}
    trial                                     | 1100 +300, 2100 -300${AT}
    clear a purchase 1000 cur=840 bill=5200/986 settle=1000/840   | posted none    | 5604 | 0 | 94396
    posts 8                                   | 1100 +5200, 1100 +104, 4400 -104, 2100 -1000/840, 1500 -5200, 1500 +1000/840
    `,
  ],
  [
    4,
    'interchange of a purchase: earned',
    `
    account A limit=1000
    card a
    clear a purchase 300 fee=4 ${SUB}         | posted none    | 300 | 0 | 700
    posts 3                                   | 1100 +300, 2100 -300${AT}, 2100 +4${AT}, 4100 -4
    trial                                     | 1100 +300, 2100 -296${AT}, 4100 -4
    `,
  ],
  [
    5,
    'cash advance, its fee, and interchange that we pay',
    `
    program fee=50+300
    account A limit=100000
    card a
    clear a cash 2000 fee=15 ${SUB}           | posted none    | 2110 | 0 | 97890
    posts 4                                   | 1110 +2000, 1120 +110, 4300 -110, 2100 -2000${AT}, 2100 -15${AT}, 5400 +15
    `,
  ],
  [
    6,
    'refund: pays the receivable down, the excess is in credit, interchange goes back',
    `
    account A limit=1000
    card a
    clear a purchase 300 fee=4                | posted none    |  300 | 0 |  700
    clear a refund 500 fee=7                  | posted none    | -200 | 0 | 1200
    posts 4                                   | 1100 -300, 2200 -200, 2100 +500, 2100 -7, 4100 +7
    trial                                     | 2100 +197, 2200 -200, 4100 +3
    `,
  ],
  [
    7,
    'reversal of a presentment: the mirror, linked to it',
    `
    program fee=50+300 markup=200
    account A limit=100000
    card a
    clear a purchase 300 arn=P fee=4          | posted none    |  300 | 0 |  99700
    clear a purchase 300 arn=P back fee=4     | posted arn     |    0 | 0 | 100000
    posts 5                                   | 1100 -300, 2100 +300, 2100 -4, 4100 +4
    clear a cash 2000 arn=C fee=15            | posted none    | 2110 | 0 |  97890
    clear a cash 2000 arn=C back fee=15       | posted arn     |    0 | 0 | 100000
    clear a refund 500 arn=R                  | posted none    | -500 | 0 | 100500
    clear a refund 500 arn=R back             | posted arn     |    0 | 0 | 100000
    trial                                     | none
    `,
  ],
  [
    7,
    'of a record that is taken back in part mark-up and fee go back as with a reversal by message, and nothing that a dispute has given',
    `
    program fee=50+300 markup=200
    account A limit=100000
    card a
    clear a cash 3000 arn=P                   | posted none    | 3140 | 0 |  96860
    clear a cash 1000 arn=P back              | posted arn otherAmount | 2110 | 0 | 97890
    posts 5                                   | 1110 -1000, 1120 -30, 4300 +30, 2100 +1000
    0200 a cash 3000 stan=1 net=N1            | 00             | 5250 | 0 |  94750
    0400 a stan=2 orig=N1 de95=2000           | 00             | 4220 | 0 |  95780
    legs 8                                    | 1110 -1000, 1120 -30, 2100 +1000, 4300 +30
    clear a purchase 1000 cur=840 bill=5000/986 settle=1000/840 arn=Q | posted none | 9320 | 0 | 90680
    clear a purchase 250 cur=840 bill=1250/986 settle=250/840 arn=Q back | posted arn otherAmount | 8045 | 0 | 91955
    posts 11                                  | 1100 -1250, 1100 -25, 4400 +25, 2100 +250/840, 1500 +1250, 1500 -250/840
    clear a cash 2000 arn=R                   | posted none    | 10155 | 0 | 89845
    dispute A 1500 of=13 ref=D                | ok             | 8655 | 0 |  91345
    step 14 write_off                         | ok             | 8610 | 0 |  91390
    clear a cash 1200 arn=R back              | posted arn otherAmount | 8045 | 0 | 91955
    posts 16                                  | 1110 -500, 1120 -65, 4300 +65, 5200 -700, 2100 +1200
    `,
  ],
  [
    8,
    'provisional credit, and what takes it back',
    `
    account A limit=1000
    card a
    clear a purchase 400                      | posted none    |  400 | 0 |  600
    pay A 100 ref=P                           | ok             |  300 | 0 |  700
    dispute A 401 of=3 ref=D                  | amount_out_of_range |  300 | 0 |  700
    dispute A 400 of=3 ref=D                  | ok             | -100 | 0 | 1100
    entry 6                                   | 1200 +400, 1100 -300, 2200 -100
    step 6 withdraw                           | ok             |  300 | 0 |  700
    entry 8                                   | 1200 -400, 1100 +300, 2200 +100
    `,
  ],
  [
    8,
    'provisional credit for what a single message posted',
    `
    account A limit=1000
    card a
    0200 a purchase 400                       | 00             |  400 | 0 |  600
    dispute A 401 of=3 ref=D                  | amount_out_of_range |  400 | 0 |  600
    dispute A 400 of=3 ref=D                  | ok             |    0 | 0 | 1000
    entry 5                                   | 1200 +400, 1100 -400
    `,
  ],
  [
    8,
    'no provisional credit for what no purchase, fee or advance charged',
    `
    account A limit=1000
    card a
    pay A 400 ref=P                           | ok             | -400 | 0 | 1400
    return 3 fee=0                            | ok             |    0 | 0 | 1000
    dispute A 1 of=4 ref=D                    | amount_out_of_range | 0 | 0 | 1000
    clear a purchase 300                      | posted none    |  300 | 0 |  700
    dispute A 300 of=6 ref=E                  | ok             |    0 | 0 | 1000
    step 7 lose                               | ok             |  300 | 0 |  700
    dispute A 300 of=8 ref=F                  | amount_out_of_range | 300 | 0 | 700
    dispute A 300 of=6 ref=G                  | amount_out_of_range | 300 | 0 | 700
    `,
  ],
  [
    8,
    'of cash, too, the provisional credit goes against purchases, the rest into the credit balance; lost, it is owed as purchases',
    `
    account A limit=10000
    card a
    clear a purchase 300                      | posted none    |  300 | 0 |  9700
    clear a cash 2000                         | posted none    | 2300 | 0 |  7700
    dispute A 2000 of=4 ref=D                 | ok             |  300 | 0 |  9700
    entry 5                                   | 1200 +2000, 1100 -300, 2200 -1700
    trial                                     | 1110 +2000, 1200 +2000, 2100 -2300, 2200 -1700
    step 5 withdraw                           | ok             | 2300 | 0 |  7700
    entry 8                                   | 1200 -2000, 1100 +300, 2200 +1700
    dispute A 2000 of=4 ref=E                 | ok             |  300 | 0 |  9700
    step 10 lose                              | ok             | 2300 | 0 |  7700
    entry 11                                  | 1100 +2000, 1200 -2000
    `,
  ],
  [
    8,
    'what was given back since is not given twice: after a refund, after a reversal, after both sides of a chargeback',
    `
    account A limit=1000
    card a
    clear a purchase 400 arn=P                | posted none    |  400 | 0 |  600
    dispute A 400 of=3 ref=D                  | ok             |    0 | 0 | 1000
    clear a refund 100 arn=P                  | posted arn     | -100 | 0 | 1100
    step 4 chargeback amount=400 interchange=4 ${SUB} | given_back | -100 | 0 | 1100
    step 4 write_off                          | given_back     | -100 | 0 | 1100
    step 4 withdraw                           | ok             |  300 | 0 |  700
    dispute A 300 of=3 ref=E                  | ok             |    0 | 0 | 1000
    step 9 chargeback amount=300 interchange=3 ${SUB} | ok     |    0 | 0 | 1000
    clear a purchase 400 arn=P back           | posted arn     | -400 | 0 | 1400
    step 9 win                                | given_back     | -400 | 0 | 1400
    step 9 chargeback_reversal amount=300 interchange=3 ${SUB} | ok | -400 | 0 | 1400
    step 9 write_off                          | given_back     | -400 | 0 | 1400
    step 9 withdraw                           | ok             | -100 | 0 | 1100
    `,
  ],
  [
    8,
    'what was given back by a refund that was announced is not given twice either',
    `
    account A limit=1000
    card a
    clear a purchase 400 arn=P                | posted none    |  400 | 0 |  600
    dispute A 400 of=3 ref=D                  | ok             |    0 | 0 | 1000
    step 4 chargeback amount=400 interchange=4 ${SUB} | ok     |    0 | 0 | 1000
    0100 a refund 400 stan=1 net=N1           | 00             |    0 | 0 | 1000
    clear a refund 400 net=N1 arn=P           | posted networkId | -400 | 0 | 1400
    step 4 win                                | given_back     | -400 | 0 | 1400
    `,
  ],
  [
    8,
    'what a reversed single message gave back is not given by a dispute of it, too',
    `
    account A limit=1000
    card a
    0200 a purchase 400 stan=1 net=N1         | 00             |  400 | 0 |  600
    dispute A 300 of=3 ref=D                  | ok             |  100 | 0 |  900
    step 4 chargeback amount=300 interchange=3 ${SUB} | ok     |  100 | 0 |  900
    0400 a stan=2 orig=N1 de95=300            | 00             |    0 | 0 | 1000
    step 4 win                                | ok             |    0 | 0 | 1000
    0200 a purchase 400 stan=3 net=N2         | 00             |  400 | 0 |  600
    dispute A 400 of=8 ref=E                  | ok             |    0 | 0 | 1000
    0400 a stan=4 orig=N2                     | 00             | -400 | 0 | 1400
    step 9 chargeback amount=400 interchange=4 ${SUB} | given_back | -400 | 0 | 1400
    step 9 write_off                          | given_back     | -400 | 0 | 1400
    step 9 withdraw                           | ok             |    0 | 0 | 1000
    `,
  ],
  [
    8,
    'what was given back after it was presented again is owed again, and not written off',
    `
    account A limit=1000
    card a
    clear a purchase 400 arn=P                | posted none    |  400 | 0 |  600
    dispute A 400 of=3 ref=D                  | ok             |    0 | 0 | 1000
    step 4 chargeback amount=400 ${SUB}       | ok             |    0 | 0 | 1000
    step 4 second_presentment amount=400 ${SUB} | ok           |    0 | 0 | 1000
    clear a purchase 400 arn=P back           | posted arn     | -400 | 0 | 1400
    step 4 write_off                          | given_back     | -400 | 0 | 1400
    step 4 lose                               | ok             |    0 | 0 | 1000
    trial                                     | 1100 +400, 2200 -400
    `,
  ],
  [
    8,
    'what was given back, and presented again in part, is not kept on top of it: by a reversal, by a refund of a part',
    `
    account A limit=1000
    card a
    clear a purchase 400 arn=P                | posted none    |  400 | 0 |  600
    dispute A 400 of=3 ref=D                  | ok             |    0 | 0 | 1000
    step 4 chargeback amount=400 ${SUB}       | ok             |    0 | 0 | 1000
    clear a purchase 100 arn=P fn=282         | posted arn     |    0 | 0 | 1000
    clear a purchase 400 arn=P back           | posted arn     | -400 | 0 | 1400
    step 4 lose                               | ok             |    0 | 0 | 1000
    entry 8                                   | 1100 +100, 1200 -100, 1100 +300, 5200 -300
    clear a purchase 400 arn=Q                | posted none    |  400 | 0 |  600
    dispute A 300 of=10 ref=E                 | ok             |  100 | 0 |  900
    step 11 chargeback amount=300 ${SUB}      | ok             |  100 | 0 |  900
    clear a refund 250 arn=Q                  | posted arn     | -150 | 0 | 1150
    clear a purchase 100 arn=Q fn=282         | posted arn     | -150 | 0 | 1150
    step 11 lose                              | ok             |    0 | 0 | 1000
    entry 15                                  | 1100 +100, 1200 -100, 1100 +50, 5200 -50
    `,
  ],
  [
    9,
    'chargeback accepted in settlement, interchange back; won',
    `
    account A limit=1000
    card a
    clear a purchase 400                      | posted none    |  400 | 0 |  600
    dispute A 400 of=3 ref=D                  | ok             |    0 | 0 | 1000
    step 4 chargeback amount=400 interchange=4 ${SUB}    | ok  |    0 | 0 | 1000
    entry 5                                   | 2100 +400${AT}, 1200 -400, 4100 +4, 2100 -4${AT}
    step 4 win                                | ok             |    0 | 0 | 1000
    entry 7                                   | none
    trial                                     | 2100 -400, 2100 +396${AT}, 4100 +4
    `,
  ],
  [
    10,
    'second presentment, interchange again',
    `
    account A limit=1000
    card a
    clear a purchase 400                      | posted none    |  400 | 0 |  600
    dispute A 400 of=3 ref=D                  | ok             |    0 | 0 | 1000
    step 4 chargeback amount=400 interchange=4 ${SUB}            | ok | 0 | 0 | 1000
    step 4 second_presentment amount=400 interchange=4 ${SUB}    | ok | 0 | 0 | 1000
    entry 6                                   | 1200 +400, 2100 -400${AT}, 2100 +4${AT}, 4100 -4
    trial                                     | 1200 +400, 2100 -400
    `,
  ],
  [
    10,
    'of cash interchange is what we had paid: it comes back with the chargeback, and is paid again',
    `
    account A limit=10000
    card a
    clear a cash 2000 arn=C fee=15 ${SUB}     | posted none    | 2000 | 0 |  8000
    posts 3                                   | 1110 +2000, 2100 -2000${AT}, 2100 -15${AT}, 5400 +15
    dispute A 2000 of=3 ref=D                 | ok             |    0 | 0 | 10000
    step 5 chargeback amount=2000 interchange=15 ${SUB}          | ok | 0 | 0 | 10000
    entry 6                                   | 2100 +2000${AT}, 1200 -2000, 5400 -15, 2100 +15${AT}
    clear a cash 2000 arn=C fn=205 fee=15 ${SUB} | posted arn  |    0 | 0 | 10000
    posts 8                                   | 1200 +2000, 2100 -2000${AT}, 2100 -15${AT}, 5400 +15
    step 5 write_off                          | ok             |    0 | 0 | 10000
    0200 a cash 500 stan=1                    | 00             |  500 | 0 |  9500
    dispute A 500 of=11 ref=E                 | ok             |    0 | 0 | 10000
    step 12 chargeback amount=500 interchange=4 ${SUB}           | ok | 0 | 0 | 10000
    entry 13                                  | 2100 +500${AT}, 1200 -500, 5400 -4, 2100 +4${AT}
    step 12 second_presentment amount=500 interchange=4 ${SUB}   | ok | 0 | 0 | 10000
    entry 15                                  | 1200 +500, 2100 -500${AT}, 2100 -4${AT}, 5400 +4
    clear a cash 70 fn=205 arn=X fee=3        | posted none disputeMissing | 0 | 0 | 10000
    posts 17                                  | 1390 +70, 2100 -70, 2100 -3, 5400 +3
    `,
  ],
  [
    10,
    'second presentment of one of several presentments with one reference: by its sequence, or by its amount',
    `
    account A limit=1000
    card a
    clear a purchase 100 arn=P seq=1/2        | posted none    |  100 | 0 |  900
    clear a purchase 300 arn=P seq=2/2        | posted none    |  400 | 0 |  600
    dispute A 300 of=4 ref=D                  | ok             |  100 | 0 |  900
    step 5 chargeback amount=300 ${SUB}       | ok             |  100 | 0 |  900
    clear a purchase 300 arn=P fn=205         | posted arn     |  100 | 0 |  900
    step 5 lose                               | ok             |  400 | 0 |  600
    clear a purchase 200 arn=Q seq=1/2        | posted none    |  600 | 0 |  400
    clear a purchase 100 arn=Q seq=2/2        | posted none    |  700 | 0 |  300
    dispute A 100 of=10 ref=E                 | ok             |  600 | 0 |  400
    step 11 chargeback amount=100 ${SUB}      | ok             |  600 | 0 |  400
    clear a purchase 90 arn=Q fn=282 seq=2/2  | posted arn     |  600 | 0 |  400
    step 11 lose                              | ok             |  690 | 0 |  310
    trial                                     | 1100 +690, 2100 -1090, 2100 +400${AT}
    `,
  ],
  [
    11,
    'dispute lost: by the cardholder, or absorbed',
    `
    account A limit=1000
    card a
    clear a purchase 500                      | posted none    |  500 | 0 |  500
    dispute A 400 of=3 ref=D                  | ok             |  100 | 0 |  900
    step 4 lose                               | ok             |  500 | 0 |  500
    entry 5                                   | 1100 +400, 1200 -400
    dispute A 100 of=3 ref=E                  | ok             |  400 | 0 |  600
    step 7 write_off                          | ok             |  400 | 0 |  600
    entry 8                                   | 5200 +100, 1200 -100
    `,
  ],
  [
    11,
    'with what the cardholder keeps of a dispute its mark-up goes back in proportion, half up; a reversal gives back the rest',
    `
    program markup=200
    account A limit=100000
    card a
    clear a purchase 1000 cur=840 bill=5200/986 settle=1000/840 arn=P | posted none | 5304 | 0 | 94696
    dispute A 1300 of=4 ref=D                 | ok             | 4004 | 0 |  95996
    step 5 write_off                          | ok             | 3978 | 0 |  96022
    entry 6                                   | 5200 +1300, 1200 -1300, 1100 -26, 4400 +26
    dispute A 3888 of=4 ref=E                 | ok             |   90 | 0 |  99910
    step 8 chargeback amount=3888 ${SUB}      | ok             |   90 | 0 |  99910
    step 8 second_presentment amount=3888 ${SUB} | ok          |   90 | 0 |  99910
    step 8 lose                               | ok             | 3978 | 0 |  96022
    entry 11                                  | 1100 +3888, 1200 -3888
    pay A 3978 ref=F                          | ok             |    0 | 0 | 100000
    dispute A 12 of=4 ref=G                   | ok             |  -12 | 0 | 100012
    step 14 write_off                         | ok             |  -12 | 0 | 100012
    clear a purchase 1000 cur=840 bill=5200/986 settle=1000/840 arn=P back | posted arn | -3978 | 0 | 103978
    posts 16                                  | 2200 -3888, 2200 -78, 4400 +78, 5200 -1312, 2100 +1000/840, 1500 +5200, 1500 -1000/840
    `,
  ],
  [
    11,
    'with all of a withdrawal its fee goes back, with a part the fee of that part, from a file or a message',
    `
    program fee=50+300 markup=100
    account A limit=100000
    card a
    clear a cash 2000                         | posted none    | 2110 | 0 |  97890
    dispute A 2000 of=4 ref=D                 | ok             |  110 | 0 |  99890
    step 5 chargeback amount=2000 ${SUB}      | ok             |  110 | 0 |  99890
    step 5 win                                | ok             |    0 | 0 | 100000
    entry 7                                   | 1120 -110, 4300 +110
    0200 a cash 3000 stan=1 net=N1            | 00             | 3140 | 0 |  96860
    dispute A 1000 of=9 ref=E                 | ok             | 2140 | 0 |  97860
    step 10 write_off                         | ok             | 2110 | 0 |  97890
    entry 11                                  | 5200 +1000, 1200 -1000, 1120 -30, 4300 +30
    dispute A 2000 of=9 ref=F                 | ok             |  110 | 0 |  99890
    step 13 write_off                         | ok             |    0 | 0 | 100000
    entry 14                                  | 5200 +2000, 1200 -2000, 1120 -110, 4300 +110
    clear a cash 1000 cur=840 bill=5000/986 settle=1000/840 | posted none | 5250 | 0 | 94750
    pay A 5250 ref=P                          | ok             |    0 | 0 | 100000
    dispute A 5000 of=16 ref=G                | ok             | -5000 | 0 | 105000
    step 18 write_off                         | ok             | -5250 | 0 | 105250
    entry 19                                  | 5200 +5000, 1200 -5000, 2200 -200, 4300 +200, 1110 -50, 4400 +50
    `,
  ],
  [
    11,
    'what the merchant presents again in part is owed again, and the mark-up goes back of the rest alone',
    `
    program markup=500
    account A limit=100000
    card a
    clear a purchase 100 cur=840 bill=400/986 settle=100/840 | posted none | 420 | 0 | 99580
    pay A 420 ref=P                           | ok             |    0 | 0 | 100000
    dispute A 400 of=4 ref=D                  | ok             | -400 | 0 | 100400
    step 6 chargeback amount=400 ${SUB}       | ok             | -400 | 0 | 100400
    clear a purchase 25 cur=840 bill=100/986 settle=25/840 fn=282 arn=X | posted none disputeMissing | -400 | 0 | 100400
    step 6 second_presentment amount=400 ${SUB}  | ok          | -400 | 0 | 100400
    step 6 lose                               | ok             |    0 | 0 | 100000
    entry 10                                  | 1100 +400, 1200 -400
    `,
  ],
  [
    12,
    'payment received and applied: interest, fees, cash, purchases, the excess in credit',
    `
    program interest=3650/0/0 statement=20
    account A limit=100000
    card a
    clear a purchase 3000                     | posted none    | 3000 | 0 |  97000
    clear a cash 200                          | posted none    | 3200 | 0 |  96800
    fee A 50 ref=F                            | ok             | 3250 | 0 |  96750
    accrue                                    | ok | 3253 | 0 | 96747
    trial                                     | 1100 +3000, 1110 +200, 1120 +50, 1130 +3, 2100 -3200, 4200 -3, 4300 -50
    pay A 4000 ref=P                          | ok             | -747 | 0 | 100747
    entry 9                                   | 1310 +4000, 2300 -4000, 2300 +4000, 1130 -3, 1120 -50, 1110 -200, 1100 -3000, 2200 -747
    `,
  ],
  [
    13,
    'payment returned: exactly the reverse, and the fee for it',
    `
    account A limit=1000
    card a
    clear a purchase 300                      | posted none    |  300 | 0 |  700
    pay A 400 ref=P                           | ok             | -100 | 0 | 1100
    return 4 fee=25                           | ok             |  325 | 0 |  675
    entry 5                                   | 1310 -400, 2300 +400, 2300 -400, 1100 +300, 2200 +100; 1120 +25, 4300 -25
    trial                                     | 1100 +300, 1120 +25, 2100 -300, 4300 -25
    `,
  ],
  [
    14,
    'fee, and its waiver',
    `
    account A limit=1000
    fee A 50 ref=F                            | ok             |   50 | 0 |  950
    entry 2                                   | 1120 +50, 4300 -50
    waive 2                                   | ok             |    0 | 0 | 1000
    entry 4                                   | 1120 -50, 4300 +50
    trial                                     | none
    `,
  ],
  [
    14,
    'fee given back once: by its waiver, or by a dispute that was not lost',
    `
    account A limit=1000
    fee A 50 ref=F                            | ok             |   50 | 0 |  950
    waive 2                                   | ok             |    0 | 0 | 1000
    dispute A 50 of=2 ref=D                   | amount_out_of_range | 0 | 0 | 1000
    fee A 70 ref=G                            | ok             |   70 | 0 |  930
    dispute A 30 of=5 ref=E                   | ok             |   40 | 0 |  960
    waive 5                                   | given_back     |   40 | 0 |  960
    step 6 lose                               | ok             |   70 | 0 |  930
    waive 5                                   | ok             |    0 | 0 | 1000
    `,
  ],
  [
    15,
    'interest of a day, and at the statement',
    `
    program interest=3650/0/0 statement=21
    account A limit=100000
    card a
    clear a purchase 3000                     | posted none    | 3000 | 0 |  97000
    accrue                                    | ok             | 3000 | 0 |  97000
    entry 5                                   | 1131 +3, 4200 -3
    wait 1d
    accrue                                    | ok             | 3006 | 0 |  96994
    entry 8                                   | 1131 +3, 4200 -3; 1130 +6, 1131 -6
    `,
  ],
  [
    16,
    'fee collection of a network, and one that it gives',
    `
    account A limit=1000
    networkfee 90 ${SUB} ref=N                | ok             | 0 | 0 | 1000
    entry 2                                   | 5100 +90, 2100 -90${AT}
    networkfee -30 ${SUB} ref=M               | ok             | 0 | 0 | 1000
    entry 4                                   | 5100 -30, 2100 +30${AT}
    `,
  ],
  [
    17,
    'settlement: the sub-account comes to zero, a tiny difference is rounding, a larger one stays',
    `
    account A limit=1000
    networkfee 90 ${SUB} ref=N                | ok             | 0 | 0 | 1000
    settle 88 owed=90 rounding=2 ${SUB} ref=S | ok             | 0 | 0 | 1000
    entry 3                                   | 2100 +90${AT}, 1300 -88, 5900 -2
    networkfee -50 ${SUB} ref=M               | ok             | 0 | 0 | 1000
    settle -45 owed=-50 rounding=2 ${SUB} ref=T    | ok        | 0 | 0 | 1000
    entry 6                                   | 2100 -45${AT}, 1300 +45
    settle 1 owed=0 rounding=2 ${SUB} ref=U   | ok             | 0 | 0 | 1000
    entry 8                                   | 2100 +1${AT}, 1300 -1
    trial                                     | 1300 -44, 2100 +6${AT}, 5100 +40, 5900 -2
    `,
  ],
  [
    18,
    'unknown card in clearing: to suspense',
    `
    account A limit=1000
    clear ? purchase 300 fee=4 ${SUB}         | posted none unknownCard    | 0 | 0 | 1000
    posts 2                                   | 1390 +300, 2100 -300${AT}, 2100 +4${AT}, 4100 -4
    `,
  ],
  [
    18,
    'out of suspense: to a card that is found late, as a loss, back to the network',
    `
    account A limit=1000
    card a
    clear ? purchase 300 ${SUB}               | posted none unknownCard    |   0 | 0 | 1000
    resolve 3 to card=a                       | ok                         | 300 | 0 |  700
    entry 4                                   | 1100 +300, 1390 -300
    clear ? purchase 200 ${SUB}               | posted none unknownCard    | 300 | 0 |  700
    resolve 6 loss                            | ok                         | 300 | 0 |  700
    entry 7                                   | 5200 +200, 1390 -200
    clear ? purchase 100 fee=4 ${SUB}         | posted none unknownCard    | 300 | 0 |  700
    resolve 9 network                         | ok                         | 300 | 0 |  700
    entry 10                                  | 1390 -100, 2100 +100${AT}, 2100 -4${AT}, 4100 +4
    resolve 9 loss                            | already_resolved           | 300 | 0 |  700
    `,
  ],
  [
    19,
    'credit balance refunded',
    `
    account A limit=1000
    pay A 300 ref=P                           | ok             | -300 | 0 | 1300
    payout A 200 ref=R                        | ok             | -100 | 0 | 1100
    entry 3                                   | 2200 +200, 1310 -200
    `,
  ],
  [
    20,
    'charge-off of all that is owed, and recovery',
    `
    program interest=3650/0/0 statement=0
    account A limit=100000
    card a
    clear a purchase 3000                     | posted none    | 3000 | 0 |  97000
    clear a cash 200                          | posted none    | 3200 | 0 |  96800
    fee A 50 ref=F                            | ok             | 3250 | 0 |  96750
    accrue                                    | ok             | 3250 | 0 |  96750
    chargeoff A ref=C                         | ok             |    0 | 0 | 100000
    entry 8                                   | 5300 +3250, 1120 -50, 1110 -200, 1100 -3000, 4200 +3, 1131 -3
    recover A 1000 ref=V                      | ok             |    0 | 0 | 100000
    entry 10                                  | 1310 +1000, 5300 -1000
    trial                                     | 1310 +1000, 2100 -3200, 4300 -50, 5300 +2250
    `,
  ],
  [
    20,
    'an account that is charged off bears no interest, and a payment that comes back no fee',
    `
    program interest=3650/0/0 statement=0
    account A limit=100000
    card a
    clear a purchase 3000                     | posted none    | 3000 | 0 |  97000
    chargeoff A ref=C                         | ok             |    0 | 0 | 100000
    pay A 3000 ref=P                          | ok             |    0 | 0 | 100000
    return 6 fee=25                           | account_charged_off | 0 | 0 | 100000
    return 6 fee=0                            | ok             |    0 | 0 | 100000
    entry 8                                   | 1310 -3000, 2300 +3000, 2300 -3000, 5300 +3000
    clear a purchase 1000                     | posted none    | 1000 | 0 |  99000
    accrue                                    | ok             | 1000 | 0 |  99000
    trial                                     | 1100 +1000, 2100 -4000, 5300 +3000
    `,
  ],
  [
    21,
    'posting of a single message',
    `
    program fee=50+300
    account A limit=10000
    card a
    0200 a purchase 300 stan=1                | 00             |  300 | 0 | 9700
    legs 4                                    | 1100 +300, 2100 -300
    0200 a cash 2000 stan=2                   | 00             | 2410 | 0 | 7590
    legs 6                                    | 1110 +2000, 1120 +110, 2100 -2000, 4300 -110
    0220 a purchase 100 stan=3                | 00             | 2510 | 0 | 7490
    legs 8                                    | 1100 +100, 2100 -100
    trial                                     | 1100 +400, 1110 +2000, 1120 +110, 2100 -2400, 4300 -110
    `,
  ],
  [
    22,
    'reversal of a single message: the mirror, in part and in full',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                | 00             |  300 | 0 |  700
    0400 a stan=2 rrn=1 de95=100              | 00             |  100 | 0 |  900
    legs 4                                    | 1100 -200, 2100 +200
    0400 a stan=3 rrn=1                       | 00             |    0 | 0 | 1000
    trial                                     | none
    `,
  ],
  [
    22,
    'a reversal of a single message gives nothing of it back that a dispute has given: its loss is less, and a gain where it was won',
    `
    program fee=50+300
    account A limit=10000
    card a
    0200 a cash 2000 stan=1 net=N1            | 00             | 2110 | 0 |  7890
    dispute A 500 of=4 ref=D                  | ok             | 1610 | 0 |  8390
    step 5 write_off                          | ok             | 1595 | 0 |  8405
    0400 a stan=2 orig=N1 de95=800            | 00             |  359 | 0 |  9641
    legs 7                                    | 1110 -1200, 1120 -36, 2100 +1200, 4300 +36
    0400 a stan=3 orig=N1                     | 00             |    0 | 0 | 10000
    legs 9                                    | 1110 -300, 1120 -59, 2100 +800, 4300 +59, 5200 -500
    0400 a stan=4 orig=N1                     | 00             |    0 | 0 | 10000
    legs 11                                   | none
    trial                                     | 1110 +500, 2200 -500
    0200 a purchase 400 stan=5 net=N2         | 00             |  400 | 0 |  9600
    dispute A 400 of=14 ref=E                 | ok             |    0 | 0 | 10000
    step 15 chargeback amount=400 ${SUB}      | ok             |    0 | 0 | 10000
    step 15 win                               | ok             |    0 | 0 | 10000
    0420 a stan=6 orig=N2                     | 00             |    0 | 0 | 10000
    legs 18                                   | 2100 +400, 5200 -400
    trial                                     | 1110 +500, 2100 +400${AT}, 2200 -500, 5200 -400
    `,
  ],
  [
    22,
    'of several shipments only what a dispute has given of the one that is taken back, which is disputed once, by itself or with all',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1 net=N1         | 00             |    0 | 500 | 500
    0220 a purchase 200 stan=2 net=N2 orig=N1 fn=I | 00        |  200 | 300 | 500
    0220 a purchase 300 stan=3 net=N3 orig=N1 fn=I | 00        |  500 |   0 | 500
    dispute A 201 of=4 ref=C                  | amount_out_of_range | 500 | 0 | 500
    dispute A 200 of=4 ref=D                  | ok             |  300 |   0 | 700
    dispute A 1 of=4 ref=E                    | amount_out_of_range | 300 | 0 | 700
    dispute A 301 of=3 ref=F                  | amount_out_of_range | 300 | 0 | 700
    step 7 write_off                          | ok             |  300 |   0 | 700
    0400 a stan=4 orig=N2                     | 00             |  300 |   0 | 700
    legs 11                                   | 2100 +200, 5200 -200
    0400 a stan=5 orig=N3                     | 00             |    0 |   0 | 1000
    legs 13                                   | 1100 -300, 2100 +300
    trial                                     | none
    `,
  ],
  [
    22,
    'a shipment that is taken back while it is disputed is not won, though more stands of the authorization',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1 net=N1         | 00             |    0 | 500 | 500
    0220 a purchase 200 stan=2 net=N2 orig=N1 fn=I | 00        |  200 | 300 | 500
    0220 a purchase 300 stan=3 net=N3 orig=N1 fn=I | 00        |  500 |   0 | 500
    dispute A 200 of=4 ref=D                  | ok             |  300 |   0 | 700
    0400 a stan=4 orig=N2                     | 00             |  100 |   0 | 900
    step 6 write_off                          | given_back     |  100 |   0 | 900
    step 6 withdraw                           | ok             |  300 |   0 | 700
    dispute A 1 of=4 ref=E                    | amount_out_of_range | 300 | 0 | 700
    `,
  ],
  [
    22,
    'another amount that is told behind a dispute: down, nothing goes back twice; up, the loss less is one again',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 net=N1         | 00             |    0 | 400 | 600
    0220 a purchase 400 stan=2 orig=N1        | 00             |  400 |   0 | 600
    dispute A 400 of=3 ref=D                  | ok             |    0 |   0 | 1000
    step 5 write_off                          | ok             |    0 |   0 | 1000
    0220 a purchase 300 stan=3 orig=N1        | 00             |    0 |   0 | 1000
    legs 7                                    | 2100 +100, 5200 -100
    0220 a purchase 350 stan=4 orig=N1        | 00             |    0 |   0 | 1000
    legs 9                                    | 2100 -50, 5200 +50
    0220 a purchase 500 stan=5 orig=N1 net=N5 | 00             |  100 |   0 | 900
    legs 11                                   | 1100 +100, 2100 -150, 5200 +50
    0220 a purchase 60 stan=6 orig=N1 fn=I    | 00             |  160 |   0 | 840
    0400 a stan=7 orig=N5                     | 00             |    0 |   0 | 1000
    trial                                     | none
    `,
  ],
];

describe('the events of the ledger', () => {
  for (const [number, name, table] of events) scenario(`${number} ${name}`, table);

  test('are all there', () => {
    expect([...new Set(events.map(([number]) => number))]).toEqual(Array.from({ length: 22 }, (_, index) => index + 1));
  });
});
