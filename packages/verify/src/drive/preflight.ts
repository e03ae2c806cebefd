import type { Call } from '../call.ts';
import type { Deployment } from '../deployment.ts';
import { chatAsk, type Dialect, listAsk } from './ask.ts';

/** Where the API is: below `/v1`, as clients write it, or at the root, where the gateway's target has the `/v1` in it. */
const PREFIXES = ['/v1', ''] as const;

/** What was found out with a call or two. */
export interface ListFound {
  readonly calls: readonly Call[];
  readonly prefix: string;
  /** Whether the upstream lists its models for this key. */
  readonly canList: boolean;
}

/** Looks for the API below the gateway's address, with calls that cost no tokens. */
export async function findList(deployment: Deployment): Promise<ListFound> {
  const calls: Call[] = [];
  for (const prefix of PREFIXES) {
    const call = await deployment.call(0, listAsk({ prefix }));
    calls.push(call);
    if (call.outcome === 'admitted') return { calls, prefix, canList: true };
    // Refused or unreachable: the next path would fare no better.
    if (call.outcome === 'refused') return { calls, prefix: PREFIXES[0], canList: true };
  }
  return { calls, prefix: PREFIXES[0], canList: false };
}

/** How to speak with the model, or why that is no use. */
export interface ChatFound {
  readonly calls: readonly Call[];
  readonly dialect: Dialect;
  readonly problem: string | undefined;
}

/** Makes one small chat call, and a second one where the model wants its ceiling under the newer name. */
export async function findChat(deployment: Deployment, prefix: string, model: string): Promise<ChatFound> {
  const calls: Call[] = [];
  let problem: string | undefined;
  for (const ceilingField of ['max_tokens', 'max_completion_tokens'] as const) {
    const dialect: Dialect = { prefix, model, ceilingField };
    const call = await deployment.call(0, chatAsk(dialect, 12, 1));
    calls.push(call);
    if (call.outcome !== 'other') return { calls, dialect, problem: undefined };
    problem ??= call.why;
    if (call.why !== 'HTTP 400') break;
  }
  const dialect: Dialect = { prefix, model, ceilingField: 'max_tokens' };
  return { calls, dialect, problem: `a chat call with the model ${model} ended in ${problem}` };
}
