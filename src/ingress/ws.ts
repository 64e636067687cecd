/** Chooses the WebSocket adapter: uWebSockets.js where its binary loads, ws otherwise or on demand. */
import { HoldfastError } from '../errors.js';
import type { Link, Listener } from './link.js';
import { loadUws, UwsListener } from './ws-uws.js';

export const wsAdapterNames = ['uws', 'ws'] as const;
export type WsAdapterName = (typeof wsAdapterNames)[number];
export type WsAdapterSetting = WsAdapterName | 'auto';

/** @throws HoldfastError `config_invalid` when uws was asked for by name and does not load here. */
export async function createWsListener(
  link: Link,
  setting: WsAdapterSetting,
): Promise<{ adapter: WsAdapterName; listener: Listener }> {
  // The uWebSockets.js build that installs from npm has no TLS.
  if (setting !== 'ws' && link.profile.tls === undefined) {
    const uws = loadUws();
    if (typeof uws !== 'string') return { adapter: 'uws', listener: new UwsListener(link, uws) };
    if (setting === 'uws') {
      throw new HoldfastError(
        'config_invalid',
        `uWebSockets.js does not load: ${uws}`,
        'use the adapter ws or auto, or install a uWebSockets.js release for this Node version and C library',
      );
    }
  }
  // Loaded where it serves a link only: it takes as long to load as a tenth of a start.
  const { wsListener } = await import('./ws-ws.js');
  return { adapter: 'ws', listener: wsListener(link) };
}
