import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Whose `X-Forwarded-For` is believed. */
export class TrustedProxies {
  readonly #networks: readonly Network[];

  /** @param listed addresses and networks in CIDR notation, already checked */
  constructor(listed: readonly string[]) {
    this.#networks = listed.map((entry) => {
      if (entry.includes('/')) return ipaddr.parseCIDR(entry);
      const address = ipaddr.process(entry);
      return [address, address.kind() === 'ipv4' ? 32 : 128];
    });
  }

  /**
   * The address of the client: the peer's, or, as long as the peer is listed, the one before it in `X-Forwarded-For`,
   * read from its end. What an unlisted peer claims is never believed.
   */
  clientOf(req: IncomingMessage): string | undefined {
    const peer = req.socket.remoteAddress;
    if (this.#networks.length === 0 || peer === undefined) return peer;
    const claimed = req.headers['x-forwarded-for'];
    const hops = (Array.isArray(claimed) ? claimed.join(',') : (claimed ?? ''))
      .split(',')
      .map((hop) => hop.trim());
    let client = peer;
    while (this.#trusts(client)) {
      const before = hops.pop();
      if (before === undefined || !ipaddr.isValid(before)) break;
      client = before;
    }
    return client;
  }

  #trusts(text: string): boolean {
    const address = ipaddr.process(text);
    return this.#networks.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    );
  }
}
