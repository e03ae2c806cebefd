import type { Plan } from './drive/plan.ts';
import { promiseOf, shownUnits } from './judge/promise.ts';
import { type ListedLimits, nameOf } from './listed-limits.ts';

/** What a run is about to do and what it costs, for people. */
export function planText(
  listed: ListedLimits,
  plan: Plan,
  { urls, model }: { readonly urls: readonly string[]; readonly model: string },
): string {
  const { hold, floods, left, calls, tokens } = plan;
  const lines = [`${urls.join(', ')} limits the key "${listed.key}" to`];
  for (const view of listed.buckets)
    lines.push(`  ${nameOf(view)}: ${promiseOf(view)}; ${shownUnits(view, view.available)} left`);
  lines.push('This run will');
  if (hold) lines.push(`  hold ${hold.streams} streams open at once, where ${hold.slots} are allowed`);
  for (const { title, seconds, calls: few, inputTokens, outputTokens } of floods) {
    const tokensACall = inputTokens + outputTokens > 0 ? ` of ${inputTokens} + ${outputTokens} tokens` : '';
    lines.push(
      `  ask for ${title} far beyond the limit for ${shown(seconds)} s: about ${few} calls${tokensACall} reach the upstream`,
    );
  }
  if (hold === undefined && floods.length === 0) lines.push('  read the limits, and drive none of them');
  for (const [limit, why] of left) lines.push(`  leave out ${limit}: ${why}`);
  lines.push(
    `in all about ${calls} calls and ${tokens} tokens. They are real: the upstream bills them (${model}).`,
  );
  return `${lines.join('\n')}\n`;
}

function shown(seconds: number): string {
  return String(Math.round(seconds * 10) / 10);
}
