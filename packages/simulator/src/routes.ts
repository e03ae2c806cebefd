import type { Answer } from './answer.ts';
import { chatCompletions } from './endpoints/chat.ts';
import { completions } from './endpoints/completions.ts';
import { embeddings } from './endpoints/embeddings.ts';
import { deleteFile, fileContent, listFiles, retrieveFile, uploadFile } from './endpoints/files.ts';
import { editImages, generateImages, moderate, speak, transcribe } from './endpoints/media.ts';
import { countMessageTokens, messages } from './endpoints/messages.ts';
import { listModels, retrieveModel } from './endpoints/models.ts';
import { countResponseTokens, responses } from './endpoints/responses.ts';
import type { Api } from './errors.ts';
import type { Exchange } from './exchange.ts';

export type Endpoint = (exchange: Exchange) => Answer;

/** Paths without their prefix; `{}` stands for one segment. */
const ROUTES: readonly (readonly [method: string, path: string, endpoint: Endpoint])[] = [
  ['POST', '/chat/completions', chatCompletions],
  ['POST', '/completions', completions],
  ['POST', '/embeddings', embeddings],
  ['POST', '/responses', responses],
  ['POST', '/responses/input_tokens', countResponseTokens],
  ['POST', '/messages', messages],
  ['POST', '/messages/count_tokens', countMessageTokens],
  ['GET', '/models', listModels],
  ['GET', '/models/{}', retrieveModel],
  ['POST', '/files', uploadFile],
  ['GET', '/files', listFiles],
  ['GET', '/files/{}', retrieveFile],
  ['GET', '/files/{}/content', fileContent],
  ['DELETE', '/files/{}', deleteFile],
  ['POST', '/audio/transcriptions', transcribe],
  ['POST', '/audio/speech', speak],
  ['POST', '/images/generations', generateImages],
  ['POST', '/images/edits', editImages],
  ['POST', '/moderations', moderate],
];

const ENDPOINTS = new Map<string, Map<string, Endpoint>>();
for (const [method, path, endpoint] of ROUTES) {
  const methods = ENDPOINTS.get(path) ?? new Map<string, Endpoint>();
  ENDPOINTS.set(path, methods.set(method, endpoint));
}

/** Where a request target leads. */
export interface Place {
  readonly api: Api;
  /** Without the query. */
  readonly target: string;
  /** The path below `/v1`, none, or Azure's deployment, its one variable segment written `{}`. */
  readonly path: string;
  readonly pathId: string;
  readonly deployment: string | undefined;
}

const AZURE = /^\/openai\/(?:deployments\/([^/]+)|v1)(?=\/|$)/;

/** Reads a request target. Segments are decoded; nothing else is normalised. */
export function locate(url: string): Place {
  const query = url.indexOf('?');
  const target = query < 0 ? url : url.slice(0, query);
  const azure = target.startsWith('/openai/') ? AZURE.exec(target) : null;
  let path = target;
  if (azure !== null) path = target.slice(azure[0].length);
  else if (target.startsWith('/v1/')) path = target.slice(3);
  let pathId = '';
  if (!ENDPOINTS.has(path)) {
    const [, family, id, ...rest] = path.split('/');
    if ((family === 'models' || family === 'files') && id !== undefined && id !== '') {
      pathId = decode(id);
      path = ['', family, '{}', ...rest].join('/');
    }
  }
  const anthropic = path.startsWith('/messages');
  const api = azure !== null ? 'azure' : anthropic ? 'anthropic' : 'openai';
  const deployment = azure?.[1] === undefined ? undefined : decode(azure[1]);
  return { api, target, path, pathId, deployment };
}

/** The endpoint; `wrong-method` where only other methods lead somewhere. */
export function route(method: string, place: Place): Endpoint | 'wrong-method' | 'unknown' {
  const methods = ENDPOINTS.get(place.path);
  if (methods === undefined) return 'unknown';
  return methods.get(method === 'HEAD' ? 'GET' : method) ?? 'wrong-method';
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
