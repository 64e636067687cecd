/**
 * ISO 4217: numeric code, letters and number of decimals (the exponent of the minor unit). Only currencies that a card
 * account or a purchase can have: no metals, test codes, bond units or drawing rights. Amounts in messages are minor units by this
 * table and never by a guess: 1000 is ten dinars of Sudan, one of Kuwait, and a thousand yen.
 *
 * A currency that ISO adds goes to the list of its exponent as letters followed by the three digits.
 */
const table: readonly (readonly [exponent: number, codes: string])[] = [
  [
    2,
    'AED784 AFN971 ALL008 AMD051 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977 BBD052 BDT050 BGN975 BMD060 BND096 ' +
      'BOB068 BOV984 BRL986 BSD044 BTN064 BWP072 BYN933 BZD084 CAD124 CDF976 CHE947 CHF756 CHW948 CNY156 COP170 ' +
      'COU970 CRC188 CUP192 CVE132 CZK203 DKK208 DOP214 DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238 GBP826 ' +
      'GEL981 GHS936 GIP292 GMD270 GTQ320 GYD328 HKD344 HNL340 HTG332 HUF348 IDR360 ILS376 INR356 IRR364 JMD388 ' +
      'KES404 KGS417 KHR116 KPW408 KYD136 KZT398 LAK418 LBP422 LKR144 LRD430 LSL426 MAD504 MDL498 MGA969 MKD807 ' +
      'MMK104 MNT496 MOP446 MRU929 MUR480 MVR462 MWK454 MXN484 MXV979 MYR458 MZN943 NAD516 NGN566 NIO558 NOK578 ' +
      'NPR524 NZD554 PAB590 PEN604 PGK598 PHP608 PKR586 PLN985 QAR634 RON946 RSD941 RUB643 SAR682 SBD090 SCR690 ' +
      'SDG938 SEK752 SGD702 SHP654 SLE925 SOS706 SRD968 SSP728 STN930 SVC222 SYP760 SZL748 THB764 TJS972 TMT934 ' +
      'TOP776 TRY949 TTD780 TWD901 TZS834 UAH980 USD840 USN997 UYU858 UZS860 VED926 VES928 WST882 XCD951 XCG532 ' +
      'YER886 ZAR710 ZMW967 ZWG924',
  ],
  [
    0,
    'BIF108 CLP152 DJF262 GNF324 ISK352 JPY392 KMF174 KRW410 PYG600 RWF646 UGX800 UYI940 VND704 VUV548 XAF950 ' +
      'XOF952 XPF953',
  ],
  [3, 'BHD048 IQD368 JOD400 KWD414 LYD434 OMR512 TND788'],
  [4, 'CLF990 UYW927'],
];

const NONE = 255;
const exponents = new Uint8Array(1000).fill(NONE);
const letters: string[] = [];
const numbers: Record<string, number> = {};
for (const [exponent, codes] of table) {
  for (const code of codes.split(' ')) {
    const numeric = Number(code.slice(3));
    exponents[numeric] = exponent;
    letters[numeric] = code.slice(0, 3);
    numbers[code.slice(0, 3)] = numeric;
  }
}

/** Decimals of a currency by its numeric code (0, 2, 3 or 4); -1 when there is no such currency. */
export function currencyExponent(numeric: number): number {
  const exponent = exponents[numeric] ?? NONE;
  return exponent === NONE ? -1 : exponent;
}

/** Three letters of a numeric code, e.g. 986 -> BRL. */
export function currencyLetters(numeric: number): string | undefined {
  return letters[numeric];
}

/** Numeric code of three upper-case letters; -1 when there is no such currency. */
export function currencyNumber(alpha: string): number {
  return Object.hasOwn(numbers, alpha) ? numbers[alpha]! : -1;
}

/** Numeric codes of all currencies, ascending. */
export function currencyNumbers(): number[] {
  return Object.keys(letters).map(Number);
}
