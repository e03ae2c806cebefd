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

/** The models that a raw path names: whatever else a request says, it is for these. */
export function modelsInPath(path: string): string[] {
  return [deploymentIn(path), nameIn(path, BEFORE_A_VERB)].filter((name) => name !== undefined);
}

/** The models that the query of a request's target names. Only a WebSocket's is sure to be obeyed. */
export function modelsInQuery(url: string): string[] {
  const question = url.indexOf('?');
  if (question < 0) return [];
  const query = new URLSearchParams(url.slice(question + 1));
  return IN_QUERY.flatMap((name) => query.getAll(name));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
