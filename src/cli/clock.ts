/** `holdfast clock show|accept`: whether the clocks of a running server agree, and the operator's word that they do. */
import type { Command } from 'commander';
import { addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';

export function addClock(program: Command, run: Run): void {
  const clock = newCommand(program, 'clock', 'wall and monotonic clock of a running server: do they agree?', [
    'clock show',
    'clock accept',
  ]);
  const show = newCommand(clock, 'show', 'whether the clocks agree, and who last accepted the wall clock', [
    'clock show',
  ]).option('--json', 'the answer of the API');
  addApiOptions(show);
  setAction(show, run, async (options) => {
    const answer = await apiClient(options, run.terminal).get('/v1/clock');
    run.terminal.out(options.json === true ? JSON.stringify(answer) : stateLine(answer));
    return undefined;
  });
  const accept = newCommand(
    clock,
    'accept',
    'the wall clock is right as it is now: hold expiry and window roll-over go on (needs the scope admin)',
    ['clock accept'],
  ).option('--json', 'the answer of the API');
  addApiOptions(accept);
  setAction(accept, run, async (options) => {
    const answer = await apiClient(options, run.terminal).post('/v1/clock/accept', {});
    if (options.json === true) run.terminal.out(JSON.stringify(answer));
    else if (answer.accepted === true)
      run.terminal.out(`clock accepted wall_time=${answer.wall_time} difference_s=${answer.difference_seconds}`);
    else run.terminal.out(`clock agrees wall_time=${answer.wall_time}: nothing to accept`);
    return undefined;
  });
}

function stateLine({ paused, difference_seconds, wall_time, last_acceptance }: Json): string {
  const state = paused === true ? 'paused' : 'agrees';
  const last = last_acceptance as Json | null;
  const by = last === null ? '' : ` accepted_at=${last.accepted_at} accepted_by=${last.name} (${last.token})`;
  return `clock ${state} wall_time=${wall_time} difference_s=${difference_seconds}${by}`;
}
