import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startSimulator } from '@nexus/simulator';
import { freePort, startProcess, tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDER = join(ROOT, 'deploy/kubernetes');
const MAIN = join(ROOT, 'services/gateway/src/main.ts');
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');

/** The kinds of objects that there are, each with its schema and where its type is from. */
const KINDS = {
  Deployment: { type: Deployment, module: 'apps/v1/Deployment' },
  Service: { type: Service, module: 'v1/Service' },
  PodDisruptionBudget: { type: PodDisruptionBudget, module: 'policy/v1/PodDisruptionBudget' },
  NetworkPolicy: { type: NetworkPolicy, module: 'networking.k8s.io/v1/NetworkPolicy' },
  Secret: { type: Secret, module: 'v1/Secret' },
};

const kustomization = parse(read('kustomization.yaml'));
const config = parse(read('config.yaml'));

/** Every object of a file, as plain values. */
function objectsOf(file: string) {
  return parseAllDocuments(read(file)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
}

const files: string[] = [...kustomization.resources, 'secret.example.yaml'];
const all = files.flatMap((file) => objectsOf(file));
const only = (kind: string, name = 'nexus') => {
  const found = all.filter((object) => object.kind === kind && object.metadata.name === name);
  expect(found, `${kind} ${name}`).toHaveLength(1);
  return found[0];
};
const deployment = new Deployment(only('Deployment'));
const pod = deployment.spec?.template.spec;
const container = pod?.containers[0];

const run = promisify(execFile);

describe('deploy/kubernetes', () => {
  it('holds objects that fit the schemas of Kubernetes', () => {
    for (const object of all) {
      const kind = Object.entries(KINDS).find(([name]) => name === object.kind)?.[1];
      if (kind === undefined) throw new Error(`no schema for ${object.kind}`);
      new kind.type(object).validate();
    }
    expect(() => new Deployment({ ...all[0], spec: { ...all[0].spec, replicas: '3' } }).validate()).toThrow();
  });

  it('spells every field as Kubernetes does', async () => {
    // Kubernetes drops a field that it doesn't know. The compiler finds each that the types don't have.
    const check = async (objects: readonly { kind: string }[]) => {
      const folder = await tempDir();
      symlinkSync(join(ROOT, 'services/edge/node_modules'), join(folder, 'node_modules'));
      const lines = Object.entries(KINDS).map(
        ([kind, { module }]) => `import type { I${kind} } from 'kubernetes-models/${module}';`,
      );
      for (const [count, object] of objects.entries())
        lines.push(`export const object${count}: I${object.kind} = ${JSON.stringify(object)};`);
      writeFileSync(join(folder, 'objects.ts'), lines.join('\n'));
      const compilerOptions = {
        noEmit: true,
        strict: true,
        skipLibCheck: true,
        types: [],
        module: 'nodenext',
      };
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['objects.ts'] }),
      );
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      return run(process.execPath, [tsc, '-p', folder]).then(
        () => [],
        ({ stdout }) => `${stdout}`.split('\n').filter((line) => line.includes('error TS')),
      );
    };
    expect(await check(all)).toEqual([]);
    const wrong = { ...all[0], spec: { ...all[0].spec, replica: 3 } };
    expect(await check([wrong])).toEqual([expect.stringMatching(/replica\W+ does not exist/)]);
  }, 60_000);

  it('lists every file, and the example of a secret nowhere', () => {
    const objects = readdirSync(FOLDER).filter((file) => /\.ya?ml$/.test(file));
    expect([...files, ...kustomization.configMapGenerator[0].files, 'kustomization.yaml'].sort()).toEqual(
      objects.sort(),
    );
    expect(kustomization.resources).not.toContain('secret.example.yaml');
  });

  it('gives the gateways the configuration and the secret by their names', () => {
    const [generated] = kustomization.configMapGenerator;
    expect(pod?.volumes).toEqual([{ name: 'config', configMap: { name: generated.name } }]);
    expect(kustomization.generatorOptions.disableNameSuffixHash).toBe(true);
    const mount = container?.volumeMounts?.[0];
    expect(mount?.name).toBe('config');
    expect(mount).not.toHaveProperty('subPath');
    const path = container?.env?.find(({ name }) => name === 'CONFIG_PATH')?.value;
    expect(path).toBe(`${mount?.mountPath}/${generated.files[0]}`);
    const secret = only('Secret');
    expect(container?.envFrom).toEqual([{ secretRef: { name: secret.metadata.name } }]);
    const asked = [...read('config.yaml').matchAll(/^[^#]*\$\{(\w+)\}/gm)].map(([, name]) => name);
    expect(asked).toEqual(Object.keys(secret.stringData));
  });

  it('names ports and pods alike everywhere', () => {
    const ports = new Map(container?.ports?.map(({ name, containerPort }) => [name, containerPort]));
    expect(ports.get('http')).toBe(config.listen_port);
    expect(`0.0.0.0:${ports.get('admin')}`).toBe(config.admin.listen);
    const probes = [container?.startupProbe, container?.livenessProbe, container?.readinessProbe];
    for (const probe of probes) expect(probe?.httpGet?.port).toBe('http');
    const pods = deployment.spec?.selector.matchLabels;
    expect(deployment.spec?.template.metadata?.labels).toEqual(pods);
    for (const name of ['nexus', 'nexus-admin']) {
      const service = new Service(only('Service', name));
      expect(service.spec?.selector).toEqual(pods);
      for (const { targetPort } of service.spec?.ports ?? []) expect(ports.has(`${targetPort}`)).toBe(true);
    }
    const policy = new NetworkPolicy(only('NetworkPolicy'));
    expect(policy.spec?.podSelector?.matchLabels).toEqual(pods);
    expect(policy.spec?.ingress?.flatMap((rule) => rule.ports?.map(({ port }) => port))).toEqual([
      ...ports.keys(),
    ]);
    expect(new PodDisruptionBudget(only('PodDisruptionBudget')).spec?.selector?.matchLabels).toEqual(pods);
  });

  it('gives a gateway longer to end than it drains, and never takes all away at once', () => {
    const schema = JSON.parse(readFileSync(join(ROOT, 'docs/config.schema.json'), 'utf8'));
    const drainSeconds = Number.parseInt(schema.properties.timeouts.properties.drain.default, 10);
    const command = container?.lifecycle?.preStop?.exec?.command?.join(' ') ?? '';
    const waitSeconds = Number(/, (\d+)\)$/.exec(command)?.[1]) / 1_000;
    expect(waitSeconds).toBeGreaterThan(0);
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(drainSeconds + waitSeconds + 10);
    const left = new PodDisruptionBudget(only('PodDisruptionBudget')).spec?.minAvailable;
    expect(deployment.spec?.replicas).toBe(3);
    expect(left).toBe(2);
  });

  it('runs the gateways as the user of the image, with no rights and nowhere to write', () => {
    expect(readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8')).toMatch(/\nUSER node\n/);
    expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pod?.automountServiceAccountToken).toBe(false);
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it.skipIf(noRedis)(
    'starts with its configuration, answers its probes, and takes over what Kubernetes replaces',
    async () => {
      const simulator = await startSimulator();
      onTestFinished(simulator.close);
      const redis = await startRedis();
      onTestFinished(async () => {
        redis.client.disconnect();
        await redis.process.stop();
      });
      // As a ConfigMap is mounted: the file is a link into a link to a folder, and only that link is replaced.
      const mounted = await tempDir();
      const replace = (version: string, text: string) => {
        mkdirSync(join(mounted, version));
        writeFileSync(join(mounted, version, 'config.yaml'), text);
        symlinkSync(version, join(mounted, '..data_tmp'));
        renameSync(join(mounted, '..data_tmp'), join(mounted, '..data'));
      };
      replace('..one', read('config.yaml'));
      symlinkSync('..data/config.yaml', join(mounted, 'config.yaml'));
      const port = await freePort();
      const gateway = await startProcess({
        command: process.execPath,
        args: [MAIN],
        env: {
          NODE_OPTIONS: undefined,
          CONFIG_PATH: join(mounted, 'config.yaml'),
          NEXUS_REDIS_URL: redis.url,
          NEXUS_TARGET_URL: simulator.url,
          NEXUS_LISTEN_HOST: '127.0.0.1',
          NEXUS_LISTEN_PORT: `${port}`,
          NEXUS_ADMIN_LISTEN: '127.0.0.1:0',
        },
        readyWhen: /"message":"listening"/,
      });
      onTestFinished(() => gateway[Symbol.asyncDispose]());
      for (const probe of [container?.startupProbe, container?.livenessProbe, container?.readinessProbe])
        expect((await fetch(`http://127.0.0.1:${port}${probe?.httpGet?.path}`)).status).toBe(200);
      replace('..two', read('config.yaml').replace('burst: 20', 'burst: 77'));
      const own = { headers: { authorization: 'Bearer sk-test-key' } };
      await until(
        async () =>
          (await (await fetch(`http://127.0.0.1:${port}/nexus/limits`, own)).text()).includes('"size":77'),
        { withinMs: 20_000 },
      );
    },
  );
});
