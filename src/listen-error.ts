/** Errors of opening a listener, translated into what to change. */
import { HoldfastError } from './errors.js';

/** The address is none of this machine, or no address at all. */
const WRONG_ADDRESS = ['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'];

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EACCES: 'this user may not listen on that port',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  EADDRNOTAVAIL: 'the address is none of this machine',
};

/**
 * @param who the listener, such as `link main` @param portSetting flag or member that sets its port
 */
export function listenError(
  error: NodeJS.ErrnoException,
  who: string,
  host: string,
  port: number,
  portSetting: string,
): HoldfastError {
  const code = error.code ?? '';
  const next = WRONG_ADDRESS.includes(code)
    ? 'give --host an address of this machine (127.0.0.1 reaches it from itself only), or the `host` of the link'
    : `free the port or change ${portSetting} (0 picks a free one)`;
  const why = reasons[code] ?? (code === '' ? error.message : code);
  return new HoldfastError('port_in_use', `${who} cannot listen on ${host}:${port}: ${why}`, next, { cause: error });
}
