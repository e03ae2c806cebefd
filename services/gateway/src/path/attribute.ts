import type { IncomingHttpHeaders } from 'node:http';
import { type Customer, GatewayError, type Principal } from '@nexus/domain';
import type { CallReading } from '@nexus/tokens';
import type { Exchange } from './exchange.ts';
import { modelNotFound } from './model-not-found.ts';
import { modelsInUrl } from './models-in-url.ts';

/** A feature is a label that the application gives its own traffic. */
const FEATURE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Learns for which customer and feature the request is, as far as its key may name them, and whether the key and the customer may call
 * its model.
 * @param mayRunModel whether it has to name its model where a list of models binds it: metered calls do
 * @throws GatewayError `invalid_customer`, `invalid_tier`, `invalid_feature` or `model_not_found`
 */
export function attribute(exchange: Exchange, mayRunModel = exchange.kind !== undefined): void {
  const { req, reading, identity } = exchange;
  const feature = req.headers['x-nexus-feature'];
  if (feature !== undefined) {
    if (typeof feature !== 'string' || !FEATURE.test(feature)) throw new GatewayError('invalid_feature');
    exchange.feature = feature;
  }
  if (!identity) return;
  const { principal } = identity;
  const customer = customerNamed(req.headers, principal, reading);
  if (customer) exchange.customer = customer;
  if (isBound(principal, customer)) checkModels(exchange, { principal, customer, mayRunModel });
}

/** Refuses what names a model that may not be called, and what may run any because it names none. */
function checkModels(
  { req, reading }: Exchange,
  {
    principal,
    customer,
    mayRunModel,
  }: { principal: Principal; customer: Customer | undefined; mayRunModel: boolean },
): void {
  const named = modelsInUrl(req.url ?? '');
  if (reading?.model !== undefined) named.push(reading.model);
  const forbidden = named.find((model) => !mayCall(model, principal, customer));
  if (forbidden !== undefined) throw modelNotFound(forbidden);
  if (mayRunModel && named.length === 0)
    throw new GatewayError('model_not_found', {
      message: 'Name the `model`: this key may not call every one, and the request leaves the choice open.',
    });
}

/** Whether a key may call a model for a customer: all rules that concern it allow it. */
export function mayCall(model: string, { modelRules }: Principal, customer: Customer | undefined): boolean {
  return modelRules.every((rule) => rule.allows(model)) && customer?.modelRule?.allows(model) !== false;
}

/** Whether any rule says which models may be called. */
function isBound({ modelRules }: Principal, customer: Customer | undefined): boolean {
  return modelRules.length > 0 || customer?.modelRule !== undefined;
}

function customerNamed(
  headers: IncomingHttpHeaders,
  principal: Principal,
  reading: CallReading | undefined,
): Customer | undefined {
  const from = principal.team?.customers?.from;
  if (from === undefined) return undefined;
  const header = headers['x-nexus-customer'];
  const name = from === 'header' ? header : from === 'body.user' ? reading?.user : reading?.safetyIdentifier;
  return name === undefined ? undefined : customerOf(name, headers, principal);
}

/**
 * The customer of a principal by its name, in the tier of `x-nexus-tier` if the key may name it; the header of any other key means nothing.
 * @throws GatewayError `invalid_customer` or `invalid_tier`; neither repeats what was sent or tells what there is
 */
export function customerOf(
  name: string | readonly string[],
  headers: IncomingHttpHeaders,
  { keyId, team }: Principal,
): Customer | undefined {
  const customers = team?.customers;
  if (!customers) return undefined;
  const header = headers['x-nexus-tier'];
  const tier = header === undefined || !customers.mayNameTier(keyId) ? undefined : String(header);
  const customer = typeof name === 'string' ? customers.find(name, tier) : undefined;
  if (customer) return customer;
  const isName = typeof name === 'string' && customers.find(name) !== undefined;
  throw new GatewayError(isName ? 'invalid_tier' : 'invalid_customer');
}
