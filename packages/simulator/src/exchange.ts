import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WholeAnswer } from './answer.ts';
import type { FileShelf } from './endpoints/files.ts';
import type { Api, ApiErrors } from './errors.ts';
import type { Verdict } from './limits.ts';
import type { Settings } from './options.ts';
import type { Organizations } from './organization.ts';
import { isObject, type JsonObject } from './prompt.ts';
import type { Steering } from './steering.ts';
import type { Tally } from './tally.ts';

/** What all exchanges of one simulator share. */
export interface House {
  readonly settings: Settings;
  readonly tally: Tally;
  readonly organizations: Organizations;
  readonly files: FileShelf;
}

/** One request on its way to an answer. */
export interface Exchange {
  readonly house: House;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly api: Api;
  readonly errors: ApiErrors;
  readonly requestId: string;
  readonly startedAtMs: number;
  /** What stands in the path where the route has a name in braces; empty where it has none. */
  readonly pathId: string;
  /** Azure's deployment: the model where the body names none. */
  readonly deployment: string | undefined;
  readonly credential: string | undefined;
  readonly steering: Steering;
  readonly body: Buffer;
  /** What the tier says, for the headers of the answer; set by the call that charged it. */
  verdict: Verdict | undefined;
  /** True once the simulator itself has broken the connection: the client's leaving is then no leaving. */
  broken: boolean;
}

/** The request's JSON object, or the answer that refuses it. */
export function readJson(exchange: Exchange): { object: JsonObject } | { refusal: WholeAnswer } {
  let value: unknown;
  try {
    value = JSON.parse(exchange.body.toString('utf8'));
  } catch {
    return { refusal: exchange.errors.badJson() };
  }
  return isObject(value) ? { object: value } : { refusal: exchange.errors.badJson() };
}

/** Charges the tier for a call; gives back the refusal, if it is one. */
export function charge(exchange: Exchange, model: string, tokens: number): WholeAnswer | undefined {
  const verdict = exchange.house.organizations.admit(exchange.credential ?? '', model, tokens);
  if (verdict === 'unknown-model') return exchange.errors.unknownModel(model);
  if (verdict === 'quota') return exchange.errors.quotaExceeded();
  exchange.verdict = verdict;
  if (verdict.refusal === undefined) return undefined;
  return exchange.errors.refused(model, verdict.refusal);
}
