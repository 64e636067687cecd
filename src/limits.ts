/**
 * Every bound of the engine with its arithmetic, by subject. Nothing that grows with traffic is without a bound here. A new one goes
 * into the file of its subject; everybody imports from here.
 */
export * from './limits/api.js';
export * from './limits/capacity.js';
export * from './limits/clearing.js';
export * from './limits/devices.js';
export * from './limits/events.js';
export * from './limits/journal.js';
export * from './limits/links.js';
export * from './limits/messages.js';
export * from './limits/money.js';
export * from './limits/programs.js';
export * from './limits/threads.js';
