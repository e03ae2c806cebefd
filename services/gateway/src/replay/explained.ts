import type { LoggedRequest } from './log-lines.ts';

/** A request's line of the log in words. */
export function explained(request: LoggedRequest): string {
  const { requestId, startMs, keyId, team, customer, feature, model, path, status } = request;
  const who = [
    keyId === undefined ? 'nobody known' : `key ${keyId}`,
    ...(team === undefined ? [] : [`team ${team}`]),
    ...(customer === undefined ? [] : [`customer ${customer}`]),
    ...(feature === undefined ? [] : [`feature ${feature}`]),
  ].join(', ');
  const lines = [
    `${requestId}: ${path}${model === undefined ? '' : ` for ${model}`}, ${new Date(startMs).toISOString()}`,
    `  by        ${who}`,
    `  answered  ${status}`,
    ...outcome(request).map((line) => `  ${line}`),
  ];
  if (request.shadow !== undefined) lines.push(`  tried     ${request.shadow} would have refused it`);
  return `${lines.join('\n')}\n`;
}

function outcome(request: LoggedRequest): string[] {
  const { decision, errorCode, inputTokens, outputTokens } = request;
  if (decision === 'denied') return refusal(request);
  if (decision === 'none')
    return [`ended     before the limits were asked${errorCode === undefined ? '' : `: ${errorCode}`}`];
  const used =
    inputTokens === undefined
      ? []
      : [`used      ${inputTokens} input and ${outputTokens ?? 0} output tokens`];
  return [
    'admitted  by every limit',
    ...(errorCode === undefined ? [] : [`failed    ${errorCode}`]),
    ...used,
  ];
}

function refusal({
  limit,
  limitSize,
  used,
  requested,
  retryAfterMs,
  estimatedInputTokens,
  estimatedOutputTokens,
}: LoggedRequest): string[] {
  const lines = [`refused   by ${limit ?? 'a limit'}`];
  if (limitSize !== undefined)
    lines.push(
      `          it holds ${limitSize}, ${used ?? 0} were in use, and the request asked for ${requested ?? 0}`,
    );
  if (estimatedInputTokens + estimatedOutputTokens > 0)
    lines.push(
      `          estimated: ${estimatedInputTokens} input tokens, ${estimatedOutputTokens} held for the answer`,
    );
  if (retryAfterMs === 'never')
    lines.push('          it asks for more than the limit ever holds: waiting does not help');
  else if (retryAfterMs !== undefined)
    lines.push(`          room came ${Math.ceil(retryAfterMs)} ms later, if nobody else took it`);
  return lines;
}
