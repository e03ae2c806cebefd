/** Where Azure names the model of a call: by its deployment, whatever the body says (Azure OpenAI's REST API reference). */
const DEPLOYMENT = /\/openai\/deployments\/([^/]+)\//i;

/** Where Google names it: `/models/NAME:generateContent` (Gemini API and Vertex AI, REST references). */
const BEFORE_A_VERB = /\/models\/([^/:]+):[a-z]+$/i;

/** Where a WebSocket names its model: OpenAI's Realtime API in `model`, Azure's in `deployment`. */
const IN_QUERY = ['model', 'deployment'];

/** The deployment that a raw path leads to; undefined: none. */
export function deploymentIn(path: string): string | undefined {
  return nameIn(path, DEPLOYMENT);
}

function nameIn(path: string, where: RegExp): string | undefined {
  const name = where.exec(path)?.[1] ?? (path.includes('%') ? where.exec(decode(path))?.[1] : undefined);
  return name === undefined ? undefined : decode(name);
}

/** Every model that a request's target names: each must be allowed, whichever of them the upstream obeys. */
export function modelsInUrl(url: string): string[] {
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const named = [deploymentIn(path), nameIn(path, BEFORE_A_VERB)].filter((name) => name !== undefined);
  if (question < 0) return named;
  const query = new URLSearchParams(url.slice(question + 1));
  return [...named, ...IN_QUERY.flatMap((name) => query.getAll(name))];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
