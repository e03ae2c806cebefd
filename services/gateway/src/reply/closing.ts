import type { Socket } from 'node:net';

const closing = new WeakSet<Socket>();

/** Marks a connection whose last answer has been given: what else comes on it is not looked at. */
export function markClosing(socket: Socket): void {
  closing.add(socket);
}

/** Whether the last answer on a connection has been given. */
export function isClosing(socket: Socket): boolean {
  return closing.has(socket);
}
