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

/**
 * The models that the body of an unread POST names, learned while it passes. Where a list of models binds the request, a body that may
 * not pass is refused before the last of it has been sent: no upstream works on a part.
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
    return this.#check();
  }

  /** The body is whole; what it returns forbids sending its end. */
  end(): GatewayError | undefined {
    this.#names.end();
    const refused = this.#check();
    if (refused || !this.#wanted?.mustName || this.#names.models.length > 0) return refused;
    return nameTheModel();
  }

  #check(): GatewayError | undefined {
    const { models, isUnclear } = this.#names;
    const found = models.slice(this.#checked);
    this.#checked = models.length;
    this.#exchange.model ??= found[0];
    if (this.#wanted === undefined) return undefined;
    const forbidden = found.find((model) => !this.#wanted?.mayCall(model));
    if (forbidden !== undefined) return modelNotFound(forbidden);
    if (!isUnclear) return undefined;
    return new GatewayError('invalid_body', {
      message:
        'This key may not call every model, and the body leaves in doubt which one it names. Send a form or JSON as OpenAI’s SDKs write them.',
    });
  }
}
