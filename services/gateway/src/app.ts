import type { RequestListener } from 'node:http';
import { GatewayError } from '@nexus/domain';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { addAdminApi } from './admin/api.ts';
import { budgetRoutes } from './admin/budgets.ts';
import { AdminDoor } from './admin/door.ts';
import { keyRoutes } from './admin/keys.ts';
import { ownerRoutes } from './admin/owners.ts';
import { fail, handle, type Parts } from './handle.ts';
import { usageRoute } from './ledger/usage-route.ts';
import { type HealthParts, health, healthInside, ready } from './ops/health.ts';
import { limits } from './ops/limits.ts';
import { metricsPage } from './ops/metrics.ts';
import { arrive } from './path/arrive.ts';
import { isClosing } from './reply/closing.ts';

function shell(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

/** Where Nexus answers itself: everything else goes on its path upstream. */
const OWN_PATHS = /^\/(?:health|ready|nexus)(?:[/?]|$)/i;

/** Whether Nexus answers this path itself. */
export function isOwnPath(url: string | undefined): boolean {
  return OWN_PATHS.test(url ?? '');
}

/**
 * Answers a request: Nexus' own pages through Express, everything else on its path. The path needs none of what Express
 * brings, and Express would cost it a twentieth of its CPU time (it changes the prototypes of every request).
 */
export function listener(parts: Parts, inside: HealthParts): RequestListener {
  const own = ownApp(parts, inside);
  return (req, res) => {
    // Behind a refusal that closes its connection nothing more is done: it could be what a smuggler hid there.
    if (isClosing(req.socket)) return;
    if (inside.drain.closesConnections) res.shouldKeepAlive = false;
    if (isOwnPath(req.url)) {
      own(req, res);
      return;
    }
    void handle(req, res, parts);
  };
}

/** Nexus' own pages. */
function ownApp(parts: Parts, inside: HealthParts): Express {
  const app = shell();
  app.get('/health', health(inside));
  app.get('/ready', ready(inside));
  app.get('/nexus/limits', limits(parts));
  app.use('/nexus', notFound(parts));
  app.use((req, res) => handle(req, res, parts));
  app.use(errorDoor(parts));
  return app;
}

function notFound(parts: Parts): RequestHandler {
  return (req, res) => fail(arrive(req, res, parts), new GatewayError('not_found'));
}

/** The routes of the admin address. */
export function adminApp(parts: Parts, inside: HealthParts): Express {
  const app = shell();
  app.get('/health', healthInside(inside));
  app.get('/ready', ready(inside));
  app.get('/metrics', metricsPage(parts.metrics));
  const { limiter, budgets, log } = parts;
  const administered = {
    get config() {
      return parts.config;
    },
    get principals() {
      return parts.principals;
    },
    keys: inside.keys,
    limiter,
    budgets,
    log,
  };
  const door = new AdminDoor(() => parts.config.adminTokens);
  const routes = [
    ...ownerRoutes(administered),
    ...budgetRoutes(administered),
    usageRoute(parts),
    ...keyRoutes(administered),
  ];
  addAdminApi(app, routes, door, log);
  app.use(notFound(parts));
  app.use(errorDoor(parts));
  return app;
}

/** What Express itself refuses, and bugs of ours outside the path. */
function errorDoor(parts: Parts): ErrorRequestHandler {
  return (error, req, res, _next) => {
    parts.log.error('request failed outside its path', { error });
    fail(arrive(req, res, parts), error);
  };
}
