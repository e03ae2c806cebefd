import { type Answer, CREATED, json } from '../answer.ts';
import type { Exchange } from '../exchange.ts';

/** What the list shows. Calls take any model's name. */
const MODELS = [
  'gpt-4o',
  'gpt-4o-mini',
  'gpt-4.1',
  'gpt-4.1-mini',
  'gpt-3.5-turbo',
  'gpt-3.5-turbo-instruct',
  'gpt-image-1',
  'gpt-4o-transcribe',
  'gpt-4o-realtime-preview',
  'o3',
  'o4-mini',
  'omni-moderation-latest',
  'text-embedding-3-large',
  'text-embedding-3-small',
  'tts-1',
  'whisper-1',
];

const describe = (id: string) => ({ id, object: 'model', created: CREATED, owned_by: 'system' });

/** GET models. */
export function listModels(): Answer {
  return json(200, JSON.stringify({ object: 'list', data: MODELS.map(describe) }));
}

/** GET models/{model}. */
export function retrieveModel(exchange: Exchange): Answer {
  const id = exchange.pathId;
  return MODELS.includes(id) ? json(200, JSON.stringify(describe(id))) : exchange.errors.unknownModel(id);
}
