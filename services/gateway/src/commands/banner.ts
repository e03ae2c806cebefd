import { type Config, describeLimits } from '@nexus/config';
import type { Gateway } from '../gateway.ts';
import { hasWindows } from '../ledger/on-record.ts';

/** What a person sees at the start: where, what for, which limits, and a line to paste. */
export function banner(config: Config, gateway: Gateway, simulated: boolean): string {
  const lines = [
    '',
    `  Nexus listens on   ${gateway.url}${everywhere(config) ? '  (and every other address of this machine)' : ''}`,
    ...upstreamLines(config, simulated),
    ...describeLimits(config).map((line, i) => `  ${i === 0 ? 'limits  ' : '        '}           ${line}`),
    `  buckets            ${config.redis ? `shared in ${config.redis.shown}` : 'this process only'}`,
    ...(forgets(config)
      ? ['                     a restart begins days and months anew; a ledger (ledger: {}) keeps them']
      : []),
  ];
  if (gateway.adminUrl) lines.push(`  admin              ${gateway.adminUrl}`);
  lines.push('', '  Try it:', '', ...tryIt(config, gateway, simulated), '');
  return `${lines.join('\n')}\n`;
}

/** Where requests go: the only address, or the upstreams in the order in which they are asked, each with what it takes. */
function upstreamLines({ target, upstreams }: Config, simulated: boolean): string[] {
  const entries =
    upstreams.length === 0 ? [{ name: '', target, patterns: [], paths: [], fallback: undefined }] : upstreams;
  const width = Math.max(...upstreams.map(({ name }) => name.length + 2), 0);
  const label = upstreams.length === 0 ? 'upstream ' : 'upstreams';
  return entries.map(({ name, target: at, patterns, paths, fallback }, i) => {
    const takes = [...paths, ...patterns].join(' ');
    const notes = [
      ...(takes === '' ? [] : [`takes ${takes}`]),
      ...(fallback === undefined ? [] : [`else ${fallback}`]),
      ...(simulated && at.origin === target.origin ? ['a stand-in: no key needed, no bill'] : []),
    ];
    const about = notes.length === 0 ? '' : `  (${notes.join('; ')})`;
    return `  ${i === 0 ? label : '         '}          ${name.padEnd(width)}${at.origin}${at.pathPrefix}${about}`;
  });
}

/** Whether limits by day or month are forgotten when this process ends. */
function forgets(config: Config): boolean {
  return config.redis === undefined && config.ledger === undefined && hasWindows(config);
}

function everywhere({ listenHost }: Config): boolean {
  return listenHost === '0.0.0.0' || listenHost === '::';
}

function tryIt(config: Config, gateway: Gateway, simulated: boolean): string[] {
  const { pathPrefix } = (config.upstreams[0] ?? config).target;
  const version = pathPrefix.endsWith('/v1') ? '' : '/v1';
  // Where keys of ours are listed or issued, the provider's own opens nothing.
  const key = config.requireKnownKeys ? '$YOUR_NEXUS_KEY' : simulated ? 'demo-key' : '$OPENAI_API_KEY';
  return [
    `  curl ${gateway.url}${version}/chat/completions -H "Authorization: Bearer ${key}" \\`,
    `    -H "Content-Type: application/json" \\`,
    `    -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'`,
  ];
}
