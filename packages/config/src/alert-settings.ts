import { Alerts } from './config.ts';
import { resolveSecret, type SecretContext, textOf } from './secret-text.ts';
import { webhookFinding } from './shape-leaves.ts';
import type { MapTree } from './yaml-tree.ts';

/** Reads `alerts`, whose shape was checked before. */
export function readAlerts(tree: MapTree, context: SecretContext): Alerts | undefined {
  const given = tree.entries.get('alerts')?.value;
  if (given?.kind !== 'map') return undefined;
  const at = (name: string, check?: typeof webhookFinding) => {
    const entry = given.entries.get(name);
    return entry && resolveSecret(textOf(entry.value), entry.place, `alerts.${name}`, context, check);
  };
  const webhook = at('webhook', webhookFinding);
  const secret = at('secret');
  if (webhook === undefined) return undefined;
  return new Alerts(
    textOf(given.entries.get('format')?.value) === 'slack' ? 'slack' : 'json',
    webhook,
    secret,
  );
}
