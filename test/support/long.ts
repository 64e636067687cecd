/**
 * How many times longer than usual the long tests run: HOLDFAST_LONG, 1 by default, 10 under `npm run long`. It multiplies what they
 * do, and how long they may take.
 */
export const long = Number(process.env.HOLDFAST_LONG ?? 1);
