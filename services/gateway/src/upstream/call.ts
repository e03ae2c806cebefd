import type { Meter } from '@nexus/tokens';

/** A request on its way upstream, and its answer on its way back. */
export interface Call {
  /** What watches the answer, once there is one. */
  readonly meter: Meter | undefined;
  /** Resolves when the answer is over, however it ended; rejects with a GatewayError if none began. */
  readonly over: Promise<void>;
  /** When the upstream last sent something of worth, on the gateway's steady clock. */
  lastDataMs(): number;
  /** Ends the call because the upstream has sent nothing of worth for too long. */
  stall(): void;
}
