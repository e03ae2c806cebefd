import type { IncomingHttpHeaders } from 'node:http';
import { type Customer, GatewayError, type Principal } from '@nexus/domain';
import { type CallReading, isOpaque } from '@nexus/tokens';
import { asksWebSocket, type Exchange, isCoded } from './exchange.ts';
import { modelNotFound, nameTheModel } from './model-not-found.ts';
import { ModelsInBody } from './models-in-body.ts';
import { deploymentIn, modelsInPath, modelsInQuery } from './models-in-url.ts';

/** A feature is a label that the application gives its own traffic. */
const FEATURE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Learns for which customer and feature the request is, as far as its key may name them, and whether the key and the customer may call
 * its model.
 * @throws GatewayError `invalid_customer`, `invalid_tier`, `invalid_feature`, `model_not_found` or `unsupported_encoding`
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
  const customer = customerNamed(req.headers, principal, reading);
  if (customer) exchange.customer = customer;
  const isBound = principal.modelRules.length > 0 || customer?.modelRule !== undefined;
  const mayCall = isBound ? (model: string) => mayCallModel(model, principal, customer) : undefined;
  if (mayCall) {
    const forbidden = modelsNamed(exchange).find((model) => !mayCall(model));
    if (forbidden !== undefined) throw modelNotFound(forbidden);
  }
  if (exchange.kind === undefined) attributeUnread(exchange, mayCall);
  else if (mayCall && exchange.model === undefined) throw nameTheModel();
}

/** Whether a list of models allows one; there is none where no list binds the request. */
type MayCall = (model: string) => boolean;

/** Every model that a request names so far: each must be allowed, whichever of them the upstream obeys. */
function modelsNamed({ req, path, model }: Exchange): string[] {
  const named = [...modelsInPath(path), ...modelsInQuery(req.url ?? '')];
  return model === undefined ? named : [model, ...named];
}

/** Learns the model of a request that passes unread: from its URL now, from its body on its way. */
function attributeUnread(exchange: Exchange, mayCall: MayCall | undefined): void {
  const { req, method, path, upload } = exchange;
  const isWebSocket = asksWebSocket(req);
  const named = [...modelsInPath(path), ...(isWebSocket ? modelsInQuery(req.url ?? '') : [])];
  if (method === 'POST' || isWebSocket) exchange.model = named[0];
  const hasBody = Number(req.headers['content-length']) > 0 || req.headers['transfer-encoding'] !== undefined;
  const mustName = (isWebSocket || upload !== undefined) && named.length === 0;
  if (mayCall && mustName && !hasBody) throw nameTheModel();
  // What a body names beside a deployment counts for nothing.
  if (!hasBody || (upload === undefined && !mayCall) || deploymentIn(path) !== undefined) return;
  if (mayCall && isCoded(exchange)) throw new GatewayError('unsupported_encoding');
  if (upload === undefined && isOpaque(req.headers['content-type'])) return;
  exchange.modelsInBody = new ModelsInBody(exchange, mayCall && { mayCall, mustName });
}

/** Whether a key may call a model for a customer: all rules that concern it allow it. */
export function mayCallModel(
  model: string,
  { modelRules }: Principal,
  customer: Customer | undefined,
): boolean {
  return modelRules.every((rule) => rule.allows(model)) && customer?.modelRule?.allows(model) !== false;
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
