import { GatewayError } from '@nexus/domain';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { fail, handle, type Parts } from './handle.ts';
import { type HealthParts, health, healthInside, ready } from './ops/health.ts';
import { limits } from './ops/limits.ts';
import { arrive } from './path/arrive.ts';

function shell(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

/** The gateway's routes: three of its own, and everything else on its path upstream. */
export function publicApp(parts: Parts, inside: HealthParts): Express {
  const app = shell();
  app.get('/health', health(inside));
  app.get('/ready', ready(inside));
  app.get('/nexus/limits', limits(parts));
  app.use('/nexus', (req, res) => fail(arrive(req, res, parts.nowMs()), new GatewayError('not_found')));
  app.use((req, res) => {
    if (inside.drain.draining) res.shouldKeepAlive = false;
    return handle(req, res, parts);
  });
  app.use(errorDoor(parts));
  return app;
}

/** The routes of the admin address. */
export function adminApp(parts: Parts, inside: HealthParts): Express {
  const app = shell();
  app.get('/health', healthInside(inside));
  app.get('/ready', ready(inside));
  app.use((req, res) => fail(arrive(req, res, parts.nowMs()), new GatewayError('not_found')));
  app.use(errorDoor(parts));
  return app;
}

/** What Express itself refuses, and bugs of ours outside the path. */
function errorDoor({ nowMs, log }: Parts): ErrorRequestHandler {
  return (error, req, res, _next) => {
    log.error('request failed outside its path', { error });
    fail(arrive(req, res, nowMs()), error);
  };
}
