import { formatUsd } from '@nexus/prices';
import { goDuration } from '../reply/go-duration.ts';
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
    `  answered  ${status}${answeredBy(request)}`,
    ...outcome(request).map((line) => `  ${line}`),
  ];
  if (request.shadow !== undefined) lines.push(`  tried     ${request.shadow} would have refused it`);
  return `${lines.join('\n')}\n`;
}

/** Which upstream answered, or was asked last, and after how many attempts. */
function answeredBy({ upstream, attempts, decision }: LoggedRequest): string {
  if (upstream === undefined || decision !== 'admitted') return '';
  return `; upstream ${upstream}${attempts === undefined || attempts < 2 ? '' : `, at attempt ${attempts}`}`;
}

function outcome(request: LoggedRequest): string[] {
  const { decision, errorCode, inputTokens, outputTokens, costUsd } = request;
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
    ...(costUsd === undefined ? [] : [`cost      $${costUsd}`]),
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
  const amount = shownBy(limit);
  if (limitSize !== undefined)
    lines.push(
      `          it holds ${amount(limitSize)}, ${amount(used ?? 0)} were in use, and the request asked for ${amount(requested ?? 0)}`,
    );
  if (estimatedInputTokens + estimatedOutputTokens > 0)
    lines.push(
      `          estimated: ${estimatedInputTokens} input tokens, ${estimatedOutputTokens} held for the answer`,
    );
  if (retryAfterMs === 'never')
    lines.push('          it asks for more than the limit ever holds: waiting does not help');
  else if (retryAfterMs !== undefined)
    lines.push(`          room came ${goDuration(retryAfterMs)} later, if nobody else took it`);
  return lines;
}

/** How amounts of a limit are shown, which the log has in the units that it counts: money in dollars. */
function shownBy(limit: string | undefined): (units: number) => string {
  const isMoney = limit?.slice(limit.lastIndexOf('/') + 1).startsWith('usd_') === true;
  return (units) => (isMoney ? `$${formatUsd(Math.round(units))}` : String(units));
}
