/** HOLDFAST_SIM_SEED: where seeds of the simulation begin, and what random tests of its auditor are drawn from; fresh ones without it. */
export const simSeed: number | undefined =
  process.env.HOLDFAST_SIM_SEED === undefined ? undefined : Number(process.env.HOLDFAST_SIM_SEED);

/** For `fc.assert`. */
export const drawnFrom = simSeed === undefined ? {} : { seed: simSeed };
