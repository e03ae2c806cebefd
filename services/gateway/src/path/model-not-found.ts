import { GatewayError } from '@nexus/domain';

const LONGEST_SHOWN = 128;

/** What OpenAI says of a model that isn't there for this key, with the model's name. */
export function modelNotFound(model: string): GatewayError {
  return new GatewayError('model_not_found', {
    message: `The model \`${shown(model)}\` does not exist or you do not have access to it.`,
  });
}

/** What is said where the choice of the model is left open, and a list of models binds it. */
export function nameTheModel(): GatewayError {
  return new GatewayError('model_not_found', {
    message: 'Name the `model`: this key may not call every one, and the request leaves the choice open.',
  });
}

/** A model's name comes from the client: it is shown as far as it is text, and no further than names go. */
function shown(model: string): string {
  return model.slice(0, LONGEST_SHOWN).replaceAll(/[^\x20-\x7e]/g, '?');
}
