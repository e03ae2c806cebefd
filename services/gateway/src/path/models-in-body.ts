import { GatewayError } from '@nexus/domain';
import { type NamedModels, namedModels } from '@nexus/tokens';
import type { Exchange } from './exchange.ts';
import { modelNotFound, nameTheModel } from './model-not-found.ts';

/** What a list of models says of a body that passes unread. */
export interface ModelsWanted {
  /** Whether a model may be called. */
  readonly mayCall: (model: string) => boolean;
  /** Whether the body has to name one: its call runs a model, and its URL names none. */
  readonly mustName: boolean;
}

const IN_DOUBT =
  'This key may not call every model, and the body leaves in doubt which one it names. Send a form or JSON as OpenAI’s SDKs write them.';
const TWICE = 'The request body names `model` more than once. Name it once.';

/**
 * The models that the body of an unread call names, learned while it passes. A body that may not pass is refused before the last of it
 * has been sent: no upstream works on a part. Where a list of models binds the request, each must be allowed; where the call runs a model, it
 * names one at most.
 */
export class ModelsInBody {
  readonly #exchange: Exchange;
  readonly #wanted: ModelsWanted | undefined;
  readonly #names: NamedModels;
  readonly #lengthBytes: number;
  #checked = 0;

  /** @param wanted absent: no list of models binds the request */
  constructor(exchange: Exchange, wanted: ModelsWanted | undefined) {
    const { headers } = exchange.req;
    this.#exchange = exchange;
    this.#wanted = wanted;
    this.#names = namedModels(headers['content-type']);
    this.#lengthBytes = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
  }

  /** Looks at the next part of the body before it is sent on; what it returns forbids that. `bytesIn` of the exchange counts the part already. */
  take(chunk: Uint8Array): GatewayError | undefined {
    this.#names.take(chunk);
    if (this.#exchange.bytesIn >= this.#lengthBytes) return this.end();
    // A server that has all it needs may answer before the rest.
    return this.#check(this.#names.isOver);
  }

  /** The body is whole; what it returns forbids sending its end. */
  end(): GatewayError | undefined {
    this.#names.end();
    return this.#check(true);
  }

  #check(isOver: boolean): GatewayError | undefined {
    const { models, own, isUnclear } = this.#names;
    if (own.length > 1 && this.#exchange.upload !== undefined)
      return new GatewayError('invalid_body', { message: TWICE });
    const named = own[0] || undefined;
    this.#exchange.model ??= named;
    if (this.#wanted === undefined) return undefined;
    const { mayCall, mustName } = this.#wanted;
    const forbidden = models.slice(this.#checked).find((model) => !mayCall(model));
    this.#checked = models.length;
    if (forbidden !== undefined) return modelNotFound(forbidden);
    if (isUnclear) return new GatewayError('invalid_body', { message: IN_DOUBT });
    return isOver && mustName && named === undefined ? nameTheModel() : undefined;
  }
}
