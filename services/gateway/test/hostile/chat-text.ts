/** One short message, as a member of a chat call's JSON. */
export const MESSAGES = '"messages":[{"role":"user","content":"Hello"}]';

/** Posts this very text as a chat call. */
export function postChat(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-test-key', 'content-type': 'application/json', ...headers },
    body,
  });
}
