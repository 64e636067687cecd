/** Letters and digits in EBCDIC, by their places in the code pages (IBM): independent of the engine's own tables. */
export function cp500(text: string): Buffer {
  return Buffer.from(Array.from(text, codeOf));
}

function codeOf(char: string): number {
  const code = char.charCodeAt(0);
  if (code >= 0x30 && code <= 0x39) return 0xf0 + code - 0x30;
  const letter = code - 0x41;
  if (letter >= 0 && letter < 9) return 0xc1 + letter;
  if (letter >= 9 && letter < 18) return 0xd1 + letter - 9;
  if (letter >= 18 && letter < 26) return 0xe2 + letter - 18;
  return { '^': 0x5f, '=': 0x7e, ' ': 0x40 }[char] ?? 0x6f;
}
