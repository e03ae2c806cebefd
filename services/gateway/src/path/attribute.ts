import { type Customer, GatewayError, type Principal } from '@nexus/domain';
import type { CallReading } from '@nexus/tokens';
import type { Exchange } from './exchange.ts';

/** A feature is a label that the application gives its own traffic. */
const FEATURE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const LONGEST_SHOWN_MODEL = 128;

/**
 * Learns for which customer and feature the request is, as far as its key may name them, and whether the key may call its model.
 * @throws GatewayError `invalid_customer`, `invalid_feature` or `model_not_found`
 */
export function attribute(exchange: Exchange): void {
  const { req, reading, identity } = exchange;
  const feature = req.headers['x-nexus-feature'];
  if (feature !== undefined) {
    if (typeof feature !== 'string' || !FEATURE.test(feature)) throw new GatewayError('invalid_feature');
    exchange.feature = feature;
  }
  if (!identity) return;
  const { principal } = identity;
  const customer = customerOf(principal, req.headers['x-nexus-customer'], reading);
  if (customer) exchange.customer = customer;
  const model = reading?.model;
  if (model !== undefined && !principal.modelRules.every((rule) => rule.allows(model)))
    throw new GatewayError('model_not_found', {
      message: `The model \`${shown(model)}\` does not exist or you do not have access to it.`,
    });
}

function customerOf(
  { team }: Principal,
  header: string | string[] | undefined,
  reading: CallReading | undefined,
): Customer | undefined {
  const customers = team?.customers;
  if (!customers) return undefined;
  const { from } = customers;
  const name = from === 'header' ? header : from === 'body.user' ? reading?.user : reading?.safetyIdentifier;
  if (name === undefined) return undefined;
  const customer = typeof name === 'string' ? customers.find(name) : undefined;
  if (!customer) throw new GatewayError('invalid_customer');
  return customer;
}

/** A model's name comes from the client: it is shown as far as it is text, and no further than names go. */
function shown(model: string): string {
  return model.slice(0, LONGEST_SHOWN_MODEL).replaceAll(/[^\x20-\x7e]/g, '?');
}
