export const framingNames = ['len2', 'len4', 'ascii4', 'hex4', 'bcd2'] as const;
export type FramingName = (typeof framingNames)[number];
export const dialectNames = ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'] as const;
export type DialectName = (typeof dialectNames)[number];
